"""The scheduler as a pure function over arrays; knows no Kubernetes."""
