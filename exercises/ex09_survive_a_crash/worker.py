"""Exercise 9, the worker. Read README.md first; run `kit check 9` as often as you like.

The process in which the agent works may be killed, or the whole worker, at the worst moment. The task must still reach
exactly one outcome, and its client must still get the callback.
"""

import json
import os
from typing import Any

import httpx
from celery import Celery
from redis import Redis

from patterns.practice import run_agent  # run_agent(prompt) -> str: takes seconds, may raise, may be killed

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
VISIBILITY_SECONDS = float(os.environ.get("VISIBILITY_SECONDS", "600"))  # longer than any agent works
MOST_RUNS = int(os.environ.get("MOST_RUNS", "3"))  # of one task, before it is given up
RETRY_SECONDS = float(os.environ.get("RETRY_SECONDS", "10"))  # between two attempts of a callback
MOST_RETRIES = int(os.environ.get("MOST_RETRIES", "100"))

celery = Celery("worker", broker=REDIS_URL)
celery.conf.task_ignore_result = True  # the outcome is in our own record in Redis
celery.conf.worker_prefetch_multiplier = 1  # a worker takes no message before it can work on it
celery.conf.broker_transport_options = {
    # A message that is not acknowledged for this long goes to another worker. Celery's default is one hour.
    "visibility_timeout": VISIBILITY_SECONDS,
    # How often the workers look for such messages, one worker at a time.
    "unacked_restore_interval": VISIBILITY_SECONDS / 10,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 1,
}
# TODO 2: add two settings. Acknowledge a message when its task is done, not when it is taken; and requeue a task whose
#         process is lost.

redis = Redis.from_url(REDIS_URL, decode_responses=True)


def load(task_id: str) -> dict[str, Any]:
    """Return the record of a task. Raises `KeyError` if there is none."""
    found = redis.get(f"task:{task_id}")
    if found is None:
        raise KeyError(task_id)
    task: dict[str, Any] = json.loads(str(found))
    return task


def save(task: dict[str, Any]) -> None:
    """Store the record of a task."""
    redis.set(f"task:{task['task_id']}", json.dumps(task))


@celery.task
def work(task_id: str) -> None:
    """Work on a task. It runs again whenever a run dies, so any number of runs must lead to one outcome."""
    # TODO 3: load the task. If it is not finished, count this run: redis.incr(f"runs:{task_id}") returns the number.
    #         If that is more than MOST_RUNS, the task is "failed", and its "error" says why. Otherwise, mark it as
    #         "running", call the agent, and store the outcome, as in exercise 3.
    #         At the end, even if the task was already finished, queue the callback: tell.delay(task_id).
    raise NotImplementedError("TODO 3, in work")


@celery.task
def tell(task_id: str) -> None:
    """Send the callback. It is a separate task, so it is safe in the queue, and runs again if its worker dies."""
    # TODO 4: POST the task as JSON to its "callback_url", with the header webhook-id: one id for each outcome, the same
    #         on every attempt, and also if the callback is queued again. If the receiver cannot be reached, hangs up,
    #         or responds with an error (raise_for_status), let Celery retry after RETRY_SECONDS, up to MOST_RETRIES
    #         times. Set this in the decorator above: `autoretry_for`, `default_retry_delay`, `max_retries`.
    raise NotImplementedError("TODO 4, in tell")
