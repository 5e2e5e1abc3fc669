"""Exercise 9, the worker's side. Read README.md first; run `kit check 9` as often as you like.

Somebody pulls the plug: of the process in which the agent works, or of the whole worker, and at the worst moment. The
task must come to its one outcome all the same, and its client must be told.
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
MOST_RUNS = int(os.environ.get("MOST_RUNS", "3"))  # for one task; more would be for ever
RETRY_SECONDS = float(os.environ.get("RETRY_SECONDS", "10"))  # between two callbacks, while the receiver refuses
MOST_RETRIES = int(os.environ.get("MOST_RETRIES", "100"))

celery = Celery("worker", broker=REDIS_URL)
celery.conf.task_ignore_result = True  # our record in Redis tells the outcome
celery.conf.worker_prefetch_multiplier = 1  # a worker holds no message that it is not working on
celery.conf.broker_transport_options = {
    # What a worker has taken and not acknowledged for so long is given to another. Celery's own value is an hour.
    "visibility_timeout": VISIBILITY_SECONDS,
    # The workers look for such messages this often, at every look, one of them at a time.
    "unacked_restore_interval": VISIBILITY_SECONDS / 10,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 1,
}
# TODO 2: two settings. A message is acknowledged when its task is done, not when it is taken; and a task whose process
#         is lost goes back into the queue.

redis = Redis.from_url(REDIS_URL, decode_responses=True)


def load(task_id: str) -> dict[str, Any]:
    """The record of a task. Raises `KeyError` when there is none."""
    found = redis.get(f"task:{task_id}")
    if found is None:
        raise KeyError(task_id)
    task: dict[str, Any] = json.loads(str(found))
    return task


def save(task: dict[str, Any]) -> None:
    """Write a record down."""
    redis.set(f"task:{task['task_id']}", json.dumps(task))


@celery.task
def work(task_id: str) -> None:
    """Runs once, or twice, or more often: whenever the one before it died. It must come to the same in the end."""
    # TODO 3: load the task. When it is not finished, count this run: redis.incr(f"runs:{task_id}") gives the number.
    #         One too many (MOST_RUNS): the task is "failed", and its "error" says why. Otherwise it is "running"; let
    #         the agent work, and write down what became of it, as in exercise 3.
    #         In the end, and also when it was finished already, hand the telling over: tell.delay(task_id).
    raise NotImplementedError("TODO 3, in work")


@celery.task
def tell(task_id: str) -> None:
    """A task of its own, so that it is safe in the queue, and is run again when its worker dies."""
    # TODO 4: POST the task as JSON to its "callback_url", with the header webhook-id: one for each outcome, the same
    #         however often it is told, and whoever hands it over. When the receiver cannot be reached, hangs up, or
    #         answers with an error (raise_for_status), let Celery run this again after RETRY_SECONDS, up to
    #         MOST_RETRIES times, by the options of the decorator above: `autoretry_for`, `default_retry_delay`,
    #         `max_retries`.
    raise NotImplementedError("TODO 4, in tell")
