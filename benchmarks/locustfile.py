"""The load, as Locust runs it. It learns from `/health` which pattern is served, and behaves as its client.

The ordinary way, with Locust's web page and any number of users, each of whom submits a task, learns its
outcome, and then submits the next::

    kit serve in_memory_queue
    locust -f benchmarks/locustfile.py --host http://127.0.0.1:8000

The open loop, which is how `kit bench` runs it: tasks are sent at their moments, whatever became of those
before. Users wait for outcomes and so send less when a server stalls; the open loop needs none (-u 0)::

    locust -f benchmarks/locustfile.py --host http://127.0.0.1:8000 --headless -u 0 --rate 20 --samples runs/my.csv

Beside the plain requests, Locust shows what a whole task took, as requests of the type TASK.
"""

import logging
import os
from typing import Any

import gevent
from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser, between, events, task
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import StopUser
from locust.runners import LocalRunner

from benchmarks.load.http import Session
from benchmarks.load.options import add_options
from benchmarks.load.served import CannotLoad, served_pattern
from benchmarks.load.trial import Trial

logger = logging.getLogger("kit")

#: A request may take the server's whole hold, and some.
_GRACE_SECONDS = 10.0


class Load:
    """The trial that is under way in this process."""

    trial: Trial | None = None


def begin(environment: Any, **_: Any) -> None:
    """Find out what is served, and in the open loop start to send."""
    options = environment.parsed_options
    Load.trial = None
    timeout = options.wait + _GRACE_SECONDS
    session: Any = FastHttpSession(
        base_url=environment.host,
        request_event=environment.events.request,
        user=None,
        # Keep-alive, and as many connections as there may be tasks: a long-poll holds one.
        client_pool=HTTPClientPool(
            concurrency=options.max_in_flight, connection_timeout=_GRACE_SECONDS, network_timeout=timeout
        ),
        max_retries=0,
    )

    def fire(name: str, milliseconds: float, exception: Exception | None) -> None:
        environment.events.request.fire(
            request_type="TASK",
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=exception,
            context={},
        )

    try:
        if not environment.host:
            raise CannotLoad("Which server? Give its address: --host http://127.0.0.1:8000")
        served = served_pattern(session.get("/health", name="/health"))
        Load.trial = Trial(served, options, os.environ.get("KIT_WEBHOOK_SECRET"), fire)
    except (CannotLoad, OSError) as error:
        _give_up(environment, error)
        return
    logger.info("The server is %s: its client learns by %s", served.pattern, served.learns_by.value)
    if options.rate:
        if isinstance(environment.runner, LocalRunner):
            gevent.spawn(_open_loop, environment, Load.trial, session)
        else:
            _give_up(
                environment, "The open loop (--rate) runs in one process: without --master, --worker, --processes."
            )


def stop(**_: Any) -> None:
    """Write the samples of what is under way."""
    if Load.trial:
        Load.trial.interrupt()


def _open_loop(environment: Any, trial: Trial, session: Session) -> None:
    trial.open_loop(session)
    # Lost tasks are a finding, not a failure of the load process.
    _end(environment, 0)


def _give_up(environment: Any, why: object) -> None:
    logger.error("%s", why)
    # In a greenlet of its own: this one belongs to the runner, which would wait for it. The web page stays.
    if environment.parsed_options.headless:
        gevent.spawn(_end, environment, 1)
    else:
        gevent.spawn(environment.runner.stop)


def _end(environment: Any, exit_code: int) -> None:
    environment.process_exit_code = exit_code
    environment.runner.quit()


when: Any = events  # they have no types
when.init_command_line_parser.add_listener(add_options)
when.test_start.add_listener(begin)
when.quitting.add_listener(stop)


class AgentClient(FastHttpUser):
    """Submits a task, learns its outcome as the pattern's client does, thinks, and submits the next."""

    wait_time = between(0.5, 1.5)
    network_timeout = 60.0

    @task
    def submit_and_learn(self) -> None:
        """One task."""
        if Load.trial is None or self.environment.parsed_options.rate:
            raise StopUser
        session: Any = self.client
        Load.trial.one_task(session)
