"""Logs, traces and counters of tasks."""
