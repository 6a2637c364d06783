"""An admitted Gang becomes pods; its pods become its status.

states (the life of a gang as one table), ranks (what each rank is up to, whose fault a failure is),
pods (the manifests), status (what is written), observe, plan, apply. Who is admitted, and where, is
scheduling's; whether a failed gang tries again is its owner's.
"""
