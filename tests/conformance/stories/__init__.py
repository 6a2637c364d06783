"""Stories of people at work, told word for word in both worlds: the laptop's and a real Kubernetes.

A story is what somebody types (`athanor`, `kubectl`, Python) and what must come of it; it does not
know in which world it is. `places` sets the worlds up, `teller` is the person's terminal.
"""
