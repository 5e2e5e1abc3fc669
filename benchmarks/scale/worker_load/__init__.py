"""The load of tasks and workers on the Redis that they share: `python -m benchmarks.scale.worker_load`."""
