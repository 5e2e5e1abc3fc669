"""Measurements for maintainers and large users: growth, workers, hosts, submit throughput."""
