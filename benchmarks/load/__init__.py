"""Runs trials: real servers under load, and the resource usage of servers and machine."""
