"""The revision log over SQLite: the log is the store, the id is the revision."""
