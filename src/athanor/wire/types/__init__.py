"""The types of the built-in kinds: compact tables, and the schemas they stand for.

`catalog.schema_of(group, version, kind)` is the face; every kind is parsed when first asked for.
"""
