"""What a run writes down: its samples, its callbacks, and `run.json`."""
