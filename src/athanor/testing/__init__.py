"""For tests of any layer: a laptop cluster in one thread, faults, simulated nodes.

virtual (time that jumps), lab (the real API server and controllers in one loop), nodes (agents that
play pods), faults (a transport that loses, delays, doubles and refuses from a seed), world (what a
plan does to objects, for properties of plans).
"""
