"""The checkpoints: one file per exercise, and what they stand on."""
