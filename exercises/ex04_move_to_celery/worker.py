"""Exercise 4, the worker. Read README.md first; run `kit check 4` as often as you like.

`celery -A worker worker` runs this file in a separate process: it waits for messages in Redis, and calls the function
that a message names. The web process also imports this file, to send these messages.
"""

import os

from celery import Celery

from patterns.practice import run_agent  # run_agent(prompt) -> str: takes seconds, may raise

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

# The broker carries the messages; the backend stores the results. Here, both are the same Redis.
celery = Celery("worker", broker=REDIS_URL, backend=REDIS_URL)

# TODO 1: by default, Celery does not report that a worker has started a task. Set the option that makes it report it.


# TODO 2: make this function a Celery task. Call the agent with the prompt, and return its answer.
def work(prompt: str) -> str:
    """Run in the worker. The return value, or the exception, becomes the task's result."""
    raise NotImplementedError("TODO 2, in work")
