"""What tasks and workers cost the Redis that they share: `python -m benchmarks.scale.worker_load`."""
