"""The parts of `celery_queue`: the Celery application, the brokers, the publisher, and the worker's side."""
