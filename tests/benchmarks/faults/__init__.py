"""What survives what: every descriptor is held to its word, and Celery to more than that."""
