"""The only place that knows everything: which parts make a laptop cluster or a manager."""
