"""How many submits one web process accepts: `python -m benchmarks.scale.submit_throughput`."""
