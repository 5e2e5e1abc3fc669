"""What growth costs: kept records, waiting tasks, open long-polls."""
