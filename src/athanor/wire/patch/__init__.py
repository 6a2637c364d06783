"""The four ways to change an object: JSON patch, merge patch, strategic merge, server-side apply.

Pure functions over decoded JSON. Inputs are never changed; results share what did not change with
them, so treat every value as immutable. What cannot be applied raises ApiError.
"""
