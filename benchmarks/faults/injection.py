"""How each fault is injected: what fails, for how long, and when the gate of the agents opens."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.callback_receiver import CallbackReceiver
from benchmarks.faults.brokers import Broker
from benchmarks.faults.client import AcceptedTask, Client
from benchmarks.faults.gated_agent import gate, runs_file
from patterns.contract.descriptor import Fault, Pattern
from patterns.serving.processes import Child
from patterns.serving.running import Running
from patterns.serving.waiting import until_async

#: The duration of a temporary failure.
AWAY_SECONDS = 3.0
#: The response time of a slow receiver.
SLOW_SECONDS = 0.5
#: The grace period of a stop, and some more.
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class FaultScene:
    """The state before the fault: everything is up, half of the tasks have completed, and the workers wait at the
    gate."""

    trial: str
    folder: Path
    served: Running
    receiver: CallbackReceiver
    client: Client
    held: list[AcceptedTask]
    broker: Broker | None = None

    def open_gate(self) -> None:
        """Let the agents continue."""
        gate(self.folder, self.trial).touch()

    def runs(self) -> list[int]:
        """The task number of each run so far."""
        path = runs_file(self.folder, self.trial)
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    async def kill(self, child: Child) -> None:
        """Kill a process with SIGKILL and start it again, as a process manager does after a crash."""
        await asyncio.to_thread(child.kill)
        await asyncio.to_thread(child.start)

    async def stop(self, children: list[Child]) -> None:
        """Send SIGTERM to all of them, and start each again after it has ended."""
        for child in children:
            child.terminate()
        for child in children:
            await asyncio.to_thread(child.stop, _STOP_SECONDS)
            child.start()


Injection = Callable[[FaultScene], Awaitable[None]]


def applies(fault: Fault, pattern: Pattern) -> bool:
    """Whether this pattern has the part that fails."""
    part = fault.value.partition("_")[0]
    has = {
        "web": True,
        "client": True,
        "worker": bool(pattern.processes),
        "broker": "redis" in pattern.needs,
        "receiver": pattern.can_call_back,
    }
    return has[part]


async def _web_kill(scene: FaultScene) -> None:
    for web in scene.served.web:
        await scene.kill(web)
    scene.open_gate()


async def _web_stop(scene: FaultScene) -> None:
    await scene.stop(scene.served.web)
    scene.open_gate()


async def _web_deploy(scene: FaultScene) -> None:
    stopping = asyncio.create_task(scene.stop(scene.served.web))
    await asyncio.sleep(0.3)  # so that the web process is stopping
    scene.open_gate()
    await stopping


async def _worker_kill(scene: FaultScene) -> None:
    for worker in scene.served.workers:
        await scene.kill(worker)
    scene.open_gate()


async def _worker_stop(scene: FaultScene) -> None:
    await scene.stop(scene.served.workers)
    scene.open_gate()


async def _broker_kill(scene: FaultScene) -> None:
    broker = _broker(scene)
    await asyncio.to_thread(broker.child.kill)
    await asyncio.sleep(AWAY_SECONDS / 3)
    await asyncio.to_thread(broker.start)
    scene.open_gate()


async def _broker_loss(scene: FaultScene) -> None:
    broker = _broker(scene)
    await asyncio.to_thread(broker.child.kill)
    broker.lose_data()
    await asyncio.to_thread(broker.start)
    scene.open_gate()


async def _broker_freeze(scene: FaultScene) -> None:
    broker = _broker(scene)
    broker.child.kill(signal.SIGSTOP)
    await asyncio.sleep(AWAY_SECONDS)
    broker.child.kill(signal.SIGCONT)
    scene.open_gate()


async def _receiver_down(scene: FaultScene) -> None:
    await scene.receiver.down()
    scene.open_gate()
    await asyncio.sleep(AWAY_SECONDS)
    await scene.receiver.up()


async def _receiver_slow(scene: FaultScene) -> None:
    scene.receiver.answer_after = SLOW_SECONDS
    scene.open_gate()


async def _receiver_errors(scene: FaultScene) -> None:
    scene.receiver.broken = True
    scene.open_gate()
    await asyncio.sleep(AWAY_SECONDS)
    scene.receiver.broken = False


async def _client_gone(scene: FaultScene) -> None:
    scene.open_gate()
    held = {task.number for task in scene.held}
    await until_async(lambda: held <= set(scene.runs()), _STOP_SECONDS)


def _broker(scene: FaultScene) -> Broker:
    assert scene.broker, "a pattern without a broker has no broker faults"  # noqa: S101 `applies` ensures it
    return scene.broker


#: Every fault, in the order of the table.
INJECTIONS: Mapping[Fault, Injection] = {
    Fault.WEB_KILL: _web_kill,
    Fault.WEB_STOP: _web_stop,
    Fault.WEB_DEPLOY: _web_deploy,
    Fault.WORKER_KILL: _worker_kill,
    Fault.WORKER_STOP: _worker_stop,
    Fault.BROKER_KILL: _broker_kill,
    Fault.BROKER_LOSS: _broker_loss,
    Fault.BROKER_FREEZE: _broker_freeze,
    Fault.RECEIVER_DOWN: _receiver_down,
    Fault.RECEIVER_SLOW: _receiver_slow,
    Fault.RECEIVER_ERRORS: _receiver_errors,
    Fault.CLIENT_GONE: _client_gone,
}
