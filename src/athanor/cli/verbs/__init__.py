"""One module a verb; each has `command`. Imported when the verb is called, never before."""
