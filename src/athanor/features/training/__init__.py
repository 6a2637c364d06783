"""A TrainingJob becomes a Gang, wired for its framework; the Gang becomes its status."""
