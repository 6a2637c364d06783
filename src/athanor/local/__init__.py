"""The laptop's cluster: a store, an API server over it, and a node agent. Small and true."""
