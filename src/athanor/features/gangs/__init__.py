"""An admitted Gang becomes pods; its pods become its status.

states (the life of a gang as one table), ranks (what each is up to, and whose fault a failure is),
judge (which event counts), tell and status (what is written), pods (the manifests), evict
(checkpoints first), observe, plan, apply. Who is admitted, and where, is scheduling's; whether a
failed gang tries again is its owner's.
"""
