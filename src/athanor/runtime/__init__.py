"""The loop every controller runs: observe, plan, apply.

listwatch (a state machine), cache, queue, plan (what a plan may say), apply, controller, lease,
manager. Knows no feature.
"""
