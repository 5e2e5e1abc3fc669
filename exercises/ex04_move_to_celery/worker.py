"""Exercise 4, the worker's side. Read README.md first; run `kit check 4` as often as you like.

`celery -A worker worker` runs this file in a process of its own: it waits for messages in Redis, and calls the
function that a message names. The web process imports this file too, to send such messages.
"""

import os

from celery import Celery

from patterns.practice import run_agent  # run_agent(prompt) -> str: takes seconds, may raise

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

# Messages go through the broker; what came of a task is kept in the backend. Here both are the same Redis.
celery = Celery("worker", broker=REDIS_URL, backend=REDIS_URL)

# TODO 1: Celery does not say when a worker has begun with a task. Set the option that makes it say so: STARTED.


# TODO 2: make this a task of `celery`, let the agent work on the prompt, and return its answer.
def work(prompt: str) -> str:
    """Runs in the worker. What it returns or raises becomes the task's result."""
    raise NotImplementedError("TODO 2, in work")
