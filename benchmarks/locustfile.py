"""The load as a locustfile. It reads from `/health` which pattern is served and behaves as its client.

With Locust's web page and any number of users, each of which submits a task, learns its outcome and repeats::

    kit serve in_memory_queue
    locust -f benchmarks/locustfile.py --host http://127.0.0.1:8000

As an open loop, which `kit bench` uses: tasks are sent on schedule, whatever happened to earlier ones. Users would
wait for outcomes and so send less when the server stalls; the open loop needs no users (-u 0)::

    locust -f benchmarks/locustfile.py --host http://127.0.0.1:8000 --headless -u 0 --rate 20 --samples runs/my.csv

Beside the HTTP requests, Locust shows the latencies of tasks, as requests of type TASK.
"""

import logging
import os
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult
from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser, between, events, task
from locust.contrib.fasthttp import FastHttpSession
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from benchmarks.load.process.distributed import Master, RowSender, WorkerLost
from benchmarks.load.process.http_client import Session
from benchmarks.load.process.load_report import write_load_report
from benchmarks.load.process.options import add_options
from benchmarks.load.process.row_files import RowFiles, Rows
from benchmarks.load.process.served_pattern import CannotLoad, served_pattern
from benchmarks.load.process.trial_clients import TrialClients

logger = logging.getLogger("kit")

#: Added to the long-poll duration for the network timeout.
_GRACE_SECONDS = 10.0
#: How long a server that starts at the same time may take to become healthy.
_START_SECONDS = 20.0


class Load:
    """The current trial of this process, and the master if it is one."""

    trial: TrialClients | None = None
    master: Master | None = None
    start: AsyncResult = AsyncResult()  # the start time for a worker


def begin(environment: Any, **_: Any) -> None:
    """Prepare the clients of the served pattern and start the open loop, if there is one."""
    options, runner = environment.parsed_options, environment.runner
    Load.trial = None
    is_open_loop = bool(options.rate or options.burst)
    if isinstance(runner, MasterRunner):
        if is_open_loop:
            gevent.spawn(_lead, environment)
        return
    if is_open_loop and isinstance(runner, WorkerRunner):
        return  # the master starts it
    rows = RowSender(runner) if isinstance(runner, WorkerRunner) else RowFiles(options.samples, options.callbacks)
    try:
        session, Load.trial = _prepare(environment, rows)
    except (CannotLoad, OSError) as error:
        _give_up(environment, error)
        return
    if is_open_loop:
        gevent.spawn(_open_loop, environment, Load.trial, session)


def connect(environment: Any, **_: Any) -> None:
    """Connect master and workers."""
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        Load.master = Master(runner, environment.parsed_options)
        Load.master.listen()
    elif isinstance(runner, WorkerRunner):
        runner.register_message("kit.begin", _begin_share, concurrent=True)
        runner.register_message("kit.go", _go)


def _prepare(environment: Any, rows: Rows) -> tuple[Session, TrialClients]:
    options = environment.parsed_options
    if not environment.host:
        raise CannotLoad("The address of the server is missing: --host http://127.0.0.1:8000")
    session: Any = FastHttpSession(
        base_url=environment.host,
        request_event=environment.events.request,
        user=None,
        # Keep-alive, and a connection for every task in flight, because each long-poll holds one.
        client_pool=HTTPClientPool(
            concurrency=options.max_in_flight,
            connection_timeout=_GRACE_SECONDS,
            network_timeout=options.wait + _GRACE_SECONDS,
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

    served = served_pattern(_health(session), options.contender, options.learns_by)
    logger.info("The server is %s: its client learns by %s", served.pattern, served.learns_by.value)
    return session, TrialClients(served, options, os.environ.get("KIT_WEBHOOK_SECRET"), fire, rows)


def _health(session: Session) -> Any:
    """The response of `/health` from a server that may still be starting."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        health = session.get("/health", name="/health", headers={})
        if health.status_code == 200 or time.monotonic() > deadline:
            return health
        gevent.sleep(0.05)


def stop(**_: Any) -> None:
    """Write the samples of the tasks in flight."""
    if Load.trial:
        Load.trial.interrupt()


def _open_loop(environment: Any, trial: TrialClients, session: Session) -> None:
    report = trial.open_loop(session)
    if environment.parsed_options.report:
        write_load_report(Path(environment.parsed_options.report), report)
    # Lost tasks are a result, not a failure of the load process.
    _end(environment, 0)


def _lead(environment: Any) -> None:
    assert Load.master  # noqa: S101 made when the runner was
    try:
        Load.master.lead(environment.host)
    except WorkerLost as error:
        _give_up(environment, error)
    else:
        _end(environment, 0)


def _begin_share(environment: Any, msg: Any, **_: Any) -> None:
    """Prepare a worker's share, and send it from the start time on."""
    share, runner = msg.data, environment.runner
    vars(environment.parsed_options).update(share["options"])
    environment.host = share["host"]
    rows = RowSender(runner)
    try:
        session, trial = _prepare(environment, rows)
    except (CannotLoad, OSError) as error:
        runner.send_message("kit.failed", str(error))
        return
    Load.trial = trial
    runner.send_message("kit.ready")
    rows.done(trial.open_loop(session, Load.start.get(), share["index"], share["of"]))


def _go(msg: Any, **_: Any) -> None:
    Load.start.set(msg.data["at"])


def _give_up(environment: Any, why: object) -> None:
    logger.error("%s", why)
    # In a separate greenlet, because the runner waits for this one. With a web page, only the test stops.
    if environment.parsed_options.headless:
        gevent.spawn(_end, environment, 1)
    else:
        gevent.spawn(environment.runner.stop)


def _end(environment: Any, exit_code: int) -> None:
    environment.process_exit_code = exit_code
    environment.runner.quit()


hooks: Any = events  # Locust does not type them
hooks.init_command_line_parser.add_listener(add_options)
hooks.init.add_listener(connect)
hooks.test_start.add_listener(begin)
hooks.quitting.add_listener(stop)


class AgentClient(FastHttpUser):
    """Submits a task, learns its outcome as the pattern's client does, pauses, and submits the next."""

    wait_time = between(0.5, 1.5)
    network_timeout = 60.0

    @task
    def submit_and_learn(self) -> None:
        """Run one task."""
        if Load.trial is None or Load.trial.is_open_loop:
            raise StopUser
        session: Any = self.client
        Load.trial.one_task(session)
