"""What happens by itself: owner garbage collection, namespace life cycle, event TTL, endpoints."""
