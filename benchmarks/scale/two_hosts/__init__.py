"""Two hosts share a Redis, and one is disconnected for a while: `python -m benchmarks.scale.two_hosts`."""
