"""The fault trials of one contender, one after the other on the same servers."""

import asyncio
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.callback_receiver import CallbackReceiver
from benchmarks.faults.brokers import Broker, redis_of
from benchmarks.faults.client import AcceptedTask, Client
from benchmarks.faults.injection import INJECTIONS, FaultScene, applies
from benchmarks.records.faults import FaultTrial
from patterns.contract.descriptor import Fault, Pattern
from patterns.contract.settings import new_webhook_secret
from patterns.serving.errors import CannotServe
from patterns.serving.processes import ProcessFailed
from patterns.serving.rabbitmq_server import running_rabbitmq
from patterns.serving.running import Running, running
from patterns.serving.waiting import until_async

WORKERS = 4
#: The tasks of a dead Celery worker are redelivered ten seconds after this timeout. It must not end a task that is
#: held until a broker is back, even on a busy machine.
_TIMEOUT_SECONDS = 12
#: The grace period of the web process. A held task outlasts it.
_GRACE_SECONDS = 5
#: A stopping server stays up a little longer than this, so that clients can fetch the last outcomes.
_POLL_SECONDS = 2
#: A task without an outcome this long after the fault is lost.
_DEADLINE_SECONDS = 120.0
#: The time for deliveries after that; attempts are at most a second apart here.
_DELIVERY_SECONDS = 40.0

#: Called with each fault trial as it ends.
OnTrial = Callable[[FaultTrial], None]


@dataclass(frozen=True)
class FaultPlan:
    """The faults to inject, and the number of tasks for each."""

    faults: Sequence[Fault] = tuple(INJECTIONS)
    tasks: int = 200


@dataclass(frozen=True)
class Subject:
    """The pattern that faults are injected into, optionally over a private RabbitMQ."""

    name: str
    pattern: Pattern
    over_rabbitmq: bool = False

    @property
    def loses_on(self) -> frozenset[Fault]:
        """The declared losses. With RabbitMQ, the loss of the broker's data leaves the records, which are in Redis."""
        return self.pattern.loses_on - ({Fault.BROKER_LOSS} if self.over_rabbitmq else set())


async def run_fault_trials(subject: Subject, plan: FaultPlan, folder: Path, on_trial: OnTrial) -> list[FaultTrial]:
    """Run every fault trial of one contender, in order. If its servers cannot run, each trial says why."""
    trials: list[FaultTrial] = []
    secret = new_webhook_secret()
    faults = [fault for fault in plan.faults if applies(fault, subject.pattern)]

    def record(trial: FaultTrial) -> None:
        trials.append(trial)
        on_trial(trial)

    try:
        with tempfile.TemporaryDirectory(prefix="kit-gates-") as gates:
            log = folder / f"{subject.name}.faults.log"
            async with _serving(subject, _environment(Path(gates), secret), log) as (served, broker):
                for fault in faults:
                    record(await _TrialRun(subject, fault, served, broker, Path(gates), secret, plan.tasks).run())
    except (ProcessFailed, CannotServe) as error:
        for fault in faults[len(trials) :]:
            record(replace(_empty_trial(subject, fault), trouble=str(error)))
    return trials


@asynccontextmanager
async def _serving(subject: Subject, env: Mapping[str, str], log: Path) -> AsyncIterator[tuple[Running, Broker | None]]:
    """The servers and their broker. They start and stop in threads, concurrently with those of other contenders; an
    interrupt leaves nothing running."""
    stack = ExitStack()

    def start() -> tuple[Running, Broker | None]:
        if not subject.over_rabbitmq:
            served = stack.enter_context(running(subject.pattern, env=env, log=log))
            return served, redis_of(served)
        broker = stack.enter_context(running_rabbitmq())
        return stack.enter_context(running(subject.pattern, env={**env, "KIT_BROKER_URL": broker.url}, log=log)), broker

    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait({starting})
        await asyncio.to_thread(stack.close)


def _environment(gates: Path, secret: str) -> Mapping[str, str]:
    return {
        "KIT_AGENT": "benchmarks.faults.gated_agent:gated",
        "KIT_FAULTS_FOLDER": str(gates),
        "KIT_WORKERS": str(WORKERS),
        "KIT_QUEUE_SIZE": "100000",
        "KIT_POLL_INTERVAL_SECONDS": str(_POLL_SECONDS),
        "KIT_TASK_TIMEOUT_SECONDS": str(_TIMEOUT_SECONDS),
        "KIT_TASK_TTL_SECONDS": "600",
        "KIT_GRACE_SECONDS": str(_GRACE_SECONDS),
        # Private servers, because the faults break them.
        "REDIS_URL": "",
        "KIT_BROKER_URL": "",
        "KIT_WEBHOOK_SECRET": secret,
        "KIT_WEBHOOK_ALLOW_PRIVATE": "1",
        "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.2",
        "KIT_WEBHOOK_MAX_PAUSE_SECONDS": "1",
        "KIT_WEBHOOK_ATTEMPTS": "20",
        "KIT_WEBHOOK_TIMEOUT_SECONDS": "5",
    }


def _empty_trial(subject: Subject, fault: Fault) -> FaultTrial:
    return FaultTrial(
        contender=subject.name,
        fault=fault.value,
        claims_loss=fault in subject.loses_on,
        calls_back=subject.pattern.can_call_back,
    )


class _TrialRun:
    """One fault trial, from its first task to its last outcome."""

    def __init__(
        self,
        subject: Subject,
        fault: Fault,
        served: Running,
        broker: Broker | None,
        folder: Path,
        secret: str,
        tasks: int,
    ) -> None:
        self._trial = _empty_trial(subject, fault)
        self._name = f"{subject.name}-{fault.value}"
        self._pattern, self._fault = subject.pattern, fault
        self._served, self._broker, self._folder, self._secret = served, broker, folder, secret
        self._early, self._tasks = tasks // 2, tasks

    async def run(self) -> FaultTrial:
        """Run the trial and count the outcomes."""
        async with CallbackReceiver(self._secret).listening() as receiver:
            client = Client(self._served.url, receiver.url if self._pattern.can_call_back else "")
            try:
                return await self._run(client, receiver)
            finally:
                await client.aclose()

    async def _run(self, client: Client, receiver: CallbackReceiver) -> FaultTrial:
        if not await client.healthy(time.monotonic() + _DEADLINE_SECONDS):
            return replace(self._trial, trouble="the server did not recover from the previous fault")
        early = await client.submit_all(self._name, range(self._early), "now")
        await client.learn_all(early, time.monotonic() + _DEADLINE_SECONDS)
        await self._until_delivered(receiver, early)
        held = await client.submit_all(self._name, range(self._early, self._tasks), "held")
        scene = FaultScene(self._name, self._folder, self._served, receiver, client, held, self._broker)
        if not await self._until_held(scene):
            scene.open_gate()
            return replace(self._trial, trouble="the workers did not start the held tasks")

        began = time.monotonic()
        deadline = began + _DEADLINE_SECONDS
        waiting: list[asyncio.Task[None]] = []
        if self._fault is not Fault.CLIENT_GONE:
            waiting = [asyncio.create_task(client.learn(task, deadline)) for task in held]
        await INJECTIONS[self._fault](scene)
        prompts = (f"{self._name}:{number}:now" for number in itertools.count(self._tasks))
        probing = asyncio.create_task(client.until_done(prompts, deadline))
        await (asyncio.gather(*waiting) if waiting else client.learn_all(held, deadline))
        works_again = await probing
        tasks = [*early, *held]
        await self._until_delivered(receiver, [task for task in tasks if task.status != "gone"])
        return self._counted(scene, tasks, began, works_again)

    async def _until_held(self, scene: FaultScene) -> bool:
        held = {task.number for task in scene.held}
        return await until_async(lambda: len(held & set(scene.runs())) >= min(WORKERS, len(held)), _DEADLINE_SECONDS)

    async def _until_delivered(self, receiver: CallbackReceiver, tasks: Sequence[AcceptedTask]) -> None:
        if self._pattern.can_call_back:
            expected = {f"msg_{task.task_id}" for task in tasks}
            await until_async(lambda: expected <= set(receiver.received), _DELIVERY_SECONDS)

    def _counted(
        self, scene: FaultScene, tasks: Sequence[AcceptedTask], began: float, works_again: float | None
    ) -> FaultTrial:
        statuses = Counter(task.status for task in tasks)
        runs = Counter(scene.runs())
        received = [scene.receiver.received[f"msg_{task.task_id}"] for task in tasks]
        after = [task.notified_at for task in tasks if task.status not in {"", "gone"} and task.notified_at > began]
        return replace(
            self._trial,
            offered=self._tasks,
            accepted=len(tasks),
            completed=statuses["completed"],
            failed=statuses["failed"] + statuses["cancelled"],
            lost=statuses["gone"] + statuses[""],
            ran_twice=sum(runs[task.number] > 1 for task in tasks),
            delivered=sum(times > 0 for times in received),
            delivered_twice=sum(times > 1 for times in received),
            works_again=None if works_again is None else works_again - began,
            all_known_after=max(after) - began if after else None,
        )
