"""Promises, examined: tidy, unit, properties, golden, sim, conformance, acceptance."""
