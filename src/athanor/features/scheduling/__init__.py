"""Queues, gangs, quota and placement: which Gang runs where, and why not yet.

`core/` decides over arrays; observe.py, plan.py and apply.py tie it to the API.
"""
