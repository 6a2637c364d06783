"""One folder a capability; each has observe.py, plan.py, apply.py.

Features never import each other: they meet in API objects.
"""
