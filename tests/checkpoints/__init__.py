"""The checkpoints: one file per exercise, and the engine that they are built on."""
