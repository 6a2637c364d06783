"""Tools that know no Kubernetes: clock, ids, quantity, backoff, http, telemetry."""
