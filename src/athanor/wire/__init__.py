"""The Kubernetes protocol without I/O, shared by client and server.

request (values in and out, URLs), status (errors), watch (frames), selector, patch (JSON, merge,
strategic, server-side apply). Pure functions over values: bytes and dicts in, values out.
"""
