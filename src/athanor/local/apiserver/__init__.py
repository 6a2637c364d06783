"""The Kubernetes rules as one function: `handle(request) → Response | Stream | Forward`."""
