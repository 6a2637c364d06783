"""For tests of any layer: a laptop cluster in one thread, faults, simulated nodes."""
