"""The laptop's etcd: a log of revisions in SQLite, served from memory.

`store` is the face; `log` is the file (the only door to SQLite), `inspect` looks at files before
anything may touch them, `tables` and `history` are what memory keeps, `writer` is the thread.
What an object means is the API server's business: the store sees keys and bytes.
"""
