"""Solution 4, the worker."""

import os

from celery import Celery

from patterns.practice import run_agent

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

celery = Celery("worker", broker=REDIS_URL, backend=REDIS_URL)
celery.conf.task_track_started = True


@celery.task
def work(prompt: str) -> str:
    return run_agent(prompt)
