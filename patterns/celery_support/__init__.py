"""What `celery_queue` stands on: the Celery application, its brokers, and the worker's side."""
