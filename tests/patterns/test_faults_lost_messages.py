"""celery_queue when the broker comes back without its messages, and the records, in another Redis, are still there."""

import shutil
from dataclasses import dataclass

import pytest

from patterns import CELERY_QUEUE
from tests.serving import Json, Served, Servers
from tests.stories import Told
from tests.waiting import eventually

#: Twice what a message is given, which is eleven seconds with this timeout, and some to look.
_GIVEN_UP_WITHIN_SECONDS = 60.0
_SETTINGS = {"KIT_AGENT": "tests.agents:by_prompt", "KIT_TASK_TIMEOUT_SECONDS": "1", "KIT_WORKERS": "1"}


@dataclass(frozen=True)
class Story:
    """What clients saw."""

    running: Json
    waiting: list[Json]
    new: Json
    slow: Json


def live_through(servers: Servers) -> Story:
    """Kill the worker in the middle of a task, and then the broker with its data."""
    broker = servers.redis()
    served = servers.serve(CELERY_QUEUE, {**_SETTINGS, "KIT_BROKER_URL": broker.url})
    (worker,) = served.running.workers
    running = served.accept("sleeps:30")
    served.until(running, "running")
    worker.kill()
    waiting = [served.accept("sleeps:0") for _ in range(3)]
    broker.child.kill()
    for folder in broker.folder.glob("appendonlydir"):
        shutil.rmtree(folder)
    broker.child.start()
    worker.start()
    new = outcome_of_a_new_one(served)
    given_up = [served.outcome(task_id, _GIVEN_UP_WITHIN_SECONDS) for task_id in (running, *waiting)]
    return Story(given_up[0], given_up[1:], new, outcome_of_a_new_one(served))


def outcome_of_a_new_one(served: Served) -> Json:
    """A task that is submitted as soon as that can be done."""
    answer = eventually(lambda: served.submit("sleeps:0.1"), lambda answer: answer.status_code == 202)
    return served.outcome(answer.json()["task_id"])


@pytest.fixture(scope="module")
def story(told: Told) -> Story:
    """What happened."""
    story: Story = told(__name__)
    return story


def test_a_task_whose_worker_died_and_whose_message_is_gone_does_not_run_for_ever(story: Story) -> None:
    assert (story.running["status"], story.running["error"]["code"]) == ("failed", "worker_lost")


def test_tasks_whose_messages_are_gone_do_not_wait_for_ever(story: Story) -> None:
    assert [(task["status"], task["error"]["code"]) for task in story.waiting] == [("failed", "worker_lost")] * 3


def test_those_whose_messages_are_there_are_done(story: Story) -> None:
    assert story.new["status"] == story.slow["status"] == "completed"
