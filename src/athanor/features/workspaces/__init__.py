"""A Workspace is a Gang of one pod with a home, stopped when nobody uses it.

`build` makes Gang and claim, `rules` says whether it should run, `states` is its life, `plan`
decides. What people do in it is told by the gateway, in `status.activity`.
"""
