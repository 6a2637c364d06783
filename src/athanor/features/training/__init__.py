"""A TrainingJob becomes a Gang, wired for its framework; the Gang becomes its status.

frameworks (one small module each), build (the Gang), rules (success, failure, retry), states (the
life of a job as one table), observe, plan, apply. Pods are gangs' business; where they run is
scheduling's.
"""
