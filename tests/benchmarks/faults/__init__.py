"""Fault trials: every descriptor must match the measurement, and Celery must survive random kills."""
