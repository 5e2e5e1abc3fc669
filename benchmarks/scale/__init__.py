"""Measurements for maintainers and large deployments: growth, worker load, two hosts, submit throughput."""
