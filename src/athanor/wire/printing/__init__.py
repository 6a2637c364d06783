"""How objects look as rows: durations, JSONPath, and the columns of the built-in kinds.

`athanor.wire.table` puts the rows together into what kubectl prints.
"""
