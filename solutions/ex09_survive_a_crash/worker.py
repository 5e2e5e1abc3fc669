"""Solution 9, the worker."""

import json
import os
from typing import Any

import httpx
from celery import Celery
from redis import Redis

from patterns.practice import run_agent

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
VISIBILITY_SECONDS = float(os.environ.get("VISIBILITY_SECONDS", "600"))
MOST_RUNS = int(os.environ.get("MOST_RUNS", "3"))
RETRY_SECONDS = float(os.environ.get("RETRY_SECONDS", "10"))
MOST_RETRIES = int(os.environ.get("MOST_RETRIES", "100"))

celery = Celery("worker", broker=REDIS_URL)
celery.conf.task_ignore_result = True
celery.conf.worker_prefetch_multiplier = 1
celery.conf.broker_transport_options = {
    "visibility_timeout": VISIBILITY_SECONDS,
    "unacked_restore_interval": VISIBILITY_SECONDS / 10,
    "unacked_restore_throttle": 1,
    "unacked_mutex_expire": 1,
}
celery.conf.task_acks_late = True
celery.conf.task_reject_on_worker_lost = True

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
    task = load(task_id)
    # A worker may have died just after it saved the outcome. Then only the callback is left to send.
    if task["status"] not in {"completed", "failed"}:
        if redis.incr(f"runs:{task_id}") > MOST_RUNS:
            task.update(status="failed", error=f"Its worker died {MOST_RUNS} times.")
        else:
            task["status"] = "running"
            save(task)
            try:
                task.update(result=run_agent(task["prompt"]), status="completed")
            except Exception as error:
                task.update(status="failed", error=str(error))
        save(task)
    tell.delay(task_id)


@celery.task(autoretry_for=(httpx.HTTPError,), default_retry_delay=RETRY_SECONDS, max_retries=MOST_RETRIES)
def tell(task_id: str) -> None:
    task = load(task_id)
    httpx.post(task["callback_url"], json=task, headers={"webhook-id": f"msg_{task_id}"}).raise_for_status()
