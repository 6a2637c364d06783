"""Real processes, ports, signals and files."""
