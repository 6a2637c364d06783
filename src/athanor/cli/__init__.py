"""The command line, one verb a file; a verb is imported when it is called."""
