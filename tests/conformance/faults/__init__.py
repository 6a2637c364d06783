"""Our controllers on a real control plane in trouble: seeded runs, and what must hold in each."""
