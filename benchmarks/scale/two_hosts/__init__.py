"""Two hosts that share a Redis, one of which is cut off for a while: `python -m benchmarks.scale.two_hosts`."""
