"""Report steps and metrics, ask for checkpoints; standard library only, for use inside jobs."""
