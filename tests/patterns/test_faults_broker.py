"""celery_queue without its broker: it is frozen, killed, started again, and comes back without its data.

Here the broker also keeps the records, so that status cannot be answered either while it is away.
"""

import shutil
import signal
import time

import httpx
import pytest

from patterns import CELERY_QUEUE
from patterns.processes import Child
from tests.serving import QUICK_AGENT, Served, Servers
from tests.waiting import eventually

#: Submit has this long to say that the broker is away: the contract itself.
_SUBMIT_SECONDS = 3.0


@pytest.fixture(scope="module")
def started(servers: Servers) -> Served:
    """Celery on one private Redis."""
    return servers.serve(CELERY_QUEUE, {**QUICK_AGENT, "KIT_TASK_TIMEOUT_SECONDS": "3", "KIT_GRACE_SECONDS": "1"})


@pytest.fixture
def served(started: Served) -> Served:
    """The same, with everything up."""
    started.until_healthy()
    return started


@pytest.fixture
def broker(served: Served) -> Child:
    """The private Redis of this server."""
    assert served.running.redis is not None
    return served.running.redis


def submit_in_time(served: Served) -> httpx.Response:
    """Submit, which must be answered within three seconds."""
    began = time.monotonic()
    answer = served.submit()
    assert time.monotonic() - began < _SUBMIT_SECONDS
    return answer


def works_again(served: Served) -> None:
    """Return once a task is accepted and completed, by the same processes as before."""
    pids = [child.pid for child in (*served.running.web, *served.running.workers)]
    answer = eventually(served.submit, lambda answer: answer.status_code == 202)
    assert served.outcome(answer.json()["task_id"])["status"] == "completed"
    assert [child.pid for child in (*served.running.web, *served.running.workers)] == pids
    served.check_alive()


def test_while_the_broker_is_frozen_everything_says_so_and_then_works_again(served: Served, broker: Child) -> None:
    task_id = served.accept()
    served.outcome(task_id)
    broker.kill(signal.SIGSTOP)
    try:
        submit = submit_in_time(served)
        assert submit.status_code == 503
        assert submit.headers["retry-after"].isdigit()
        assert served.status(task_id).status_code == 503
        assert served.cancel(task_id).status_code == 503
        assert served.health() == 503
    finally:
        broker.kill(signal.SIGCONT)

    works_again(served)
    assert served.task(task_id)["status"] == "completed"


def test_while_the_broker_is_dead_everything_says_so_and_then_works_again(served: Served, broker: Child) -> None:
    done = served.accept()
    served.outcome(done)
    broker.kill()
    try:
        assert submit_in_time(served).status_code == 503
        assert served.status(done).status_code == 503
        assert served.health() == 503
    finally:
        broker.start()

    works_again(served)
    assert served.task(done)["status"] == "completed"


def test_a_broker_that_comes_back_without_its_data_loses_tasks_and_nobody_says_otherwise(
    served: Served, broker: Child
) -> None:
    done, waiting = served.accept(), served.accept("hang: for ever")
    served.outcome(done)
    broker.kill()
    for folder in served.running.family.folder.glob("redis-*/appendonlydir"):
        shutil.rmtree(folder)
    broker.start()
    eventually(lambda: served.status(done).status_code, lambda status: status != 503)

    assert served.status(done).status_code == 404
    assert served.status(waiting).status_code == 404
    assert served.cancel(waiting).status_code == 404
    works_again(served)
