"""Starts all processes that a pattern needs, supervises them, and stops them without leaving any behind."""
