"""How each framework's ranks find each other: one module a framework, `wire(world) → Wiring`.

To add one: write a module with `wire`, name it in `registry`, nothing else.
"""
