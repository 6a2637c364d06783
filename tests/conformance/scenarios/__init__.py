"""What both servers must answer, as data; each module has SCENARIOS: name → steps."""
