"""The loop every controller runs: observe, plan, apply.

Pure: listwatch (a state machine), cache, queue, plan (what a plan may say), controller (one loop as
data). Shells: following, informer, apply, events, loop, lease, manager. Knows no feature.
"""
