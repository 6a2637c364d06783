"""A Cron makes objects of other kinds on a schedule.

`observe` reads caches, `states` tells the phase, `plan` says what is due, `apply` is the shell.
When a time is due is `athanor.kit.schedule`'s; what becomes of the objects is their own kinds'.
"""
