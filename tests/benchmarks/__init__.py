"""Tests of the benchmarks: the arithmetic, and the load process against a server with known faults."""
