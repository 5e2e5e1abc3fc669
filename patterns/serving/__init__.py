"""Start everything that a pattern needs, and leave nothing behind."""
