"""The benchmark's own tests: of its arithmetic, and of its load process against a server whose faults are known."""
