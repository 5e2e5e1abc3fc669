"""What the checkpoints stand on: processes, actors and diagnoses."""
