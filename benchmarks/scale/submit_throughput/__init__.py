"""The submit throughput of one web process: `python -m benchmarks.scale.submit_throughput`."""
