"""What a task does, for those who watch: logs, traces, counters."""
