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

#: A request may take the server's whole hold, and some.
_GRACE_SECONDS = 10.0
#: A server that was started beside the load may need so long until it is healthy.
_START_SECONDS = 20.0


class Load:
    """The trial that is under way in this process, and the master if there is one."""

    trial: TrialClients | None = None
    master: Master | None = None
    moment: AsyncResult = AsyncResult()  # when a worker is to begin


def begin(environment: Any, **_: Any) -> None:
    """Find out what is served, and in the open loop start to send."""
    options, runner = environment.parsed_options, environment.runner
    Load.trial = None
    is_open_loop = bool(options.rate or options.burst)
    if isinstance(runner, MasterRunner):
        if is_open_loop:
            gevent.spawn(_lead, environment)
        return
    if is_open_loop and isinstance(runner, WorkerRunner):
        return  # the master says when
    rows = RowSender(runner) if isinstance(runner, WorkerRunner) else RowFiles(options.samples, options.callbacks)
    try:
        session, Load.trial = _prepare(environment, rows)
    except (CannotLoad, OSError) as error:
        _give_up(environment, error)
        return
    if is_open_loop:
        gevent.spawn(_open_loop, environment, Load.trial, session)


def meet(environment: Any, **_: Any) -> None:
    """Let the processes of one load talk to each other."""
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
        raise CannotLoad("Which server? Give its address: --host http://127.0.0.1:8000")
    session: Any = FastHttpSession(
        base_url=environment.host,
        request_event=environment.events.request,
        user=None,
        # Keep-alive, and as many connections as there may be tasks: a long-poll holds one.
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
    """The answer of a server that may still be starting."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        health = session.get("/health", name="/health", headers={})
        if health.status_code == 200 or time.monotonic() > deadline:
            return health
        gevent.sleep(0.05)


def stop(**_: Any) -> None:
    """Write the samples of what is under way."""
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
    """A worker gets ready for its share, and waits for the moment."""
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
    rows.done(trial.open_loop(session, Load.moment.get(), share["index"], share["of"]))


def _go(msg: Any, **_: Any) -> None:
    Load.moment.set(msg.data["at"])


def _give_up(environment: Any, why: object) -> None:
    logger.error("%s", why)
    # In its own greenlet: this one belongs to the runner, which would wait for it. The web page stays.
    if environment.parsed_options.headless:
        gevent.spawn(_end, environment, 1)
    else:
        gevent.spawn(environment.runner.stop)


def _end(environment: Any, exit_code: int) -> None:
    environment.process_exit_code = exit_code
    environment.runner.quit()


when: Any = events  # they have no types
when.init_command_line_parser.add_listener(add_options)
when.init.add_listener(meet)
when.test_start.add_listener(begin)
when.quitting.add_listener(stop)


class AgentClient(FastHttpUser):
    """Submits a task, learns its outcome as the pattern's client does, thinks, and submits the next."""

    wait_time = between(0.5, 1.5)
    network_timeout = 60.0

    @task
    def submit_and_learn(self) -> None:
        """One task."""
        if Load.trial is None or Load.trial.is_open_loop:
            raise StopUser
        session: Any = self.client
        Load.trial.one_task(session)
