"""What `celery_queue` is built on: the Celery application, the publisher, and the worker's side."""
