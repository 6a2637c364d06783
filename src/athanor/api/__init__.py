"""The nouns: every kind Athanor reads or writes, as frozen msgspec Structs, and their registry.

No behaviour beyond pure helpers on values; no I/O. The wire protocol is `athanor.wire`'s.
"""
