"""A real Kubernetes control plane as one binary, built once into a cache."""
