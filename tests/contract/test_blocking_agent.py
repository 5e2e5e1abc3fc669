"""An async agent that blocks its thread. The patterns differ in what else that blocks."""

from collections.abc import Mapping

import pytest

from patterns import PATTERNS
from patterns.contract.descriptor import RunsIn
from tests.contract.conftest import OVER_RABBITMQ, over_rabbitmq
from tests.support.serving import Served
from tests.support.waiting import eventually

_ELSEWHERE = [name for name, pattern in PATTERNS.items() if pattern.runs_in is RunsIn.WORKER_PROCESS]
_ON_THE_LOOP = [name for name in PATTERNS if name not in _ELSEWHERE]

Fleet = Mapping[str, Served]


@pytest.mark.parametrize("name", [*_ELSEWHERE, pytest.param(OVER_RABBITMQ, marks=over_rabbitmq)])
def test_the_server_answers_while_an_agent_blocks_another_process(small: Served) -> None:
    task_id = small.accept("block: for minutes")
    running = small.until(task_id, "running")

    assert small.health() == 200
    assert small.submit("another").status_code == 202
    assert running["finished_at"] is None

    small.cancel(task_id)
    assert small.task(task_id)["status"] == "cancelled"


@pytest.mark.parametrize("name", _ON_THE_LOOP)
def test_no_request_is_answered_while_an_agent_blocks_the_event_loop(short: Served) -> None:
    task_id, seen = short.accept("block: for a tenth of a second"), list[str]()

    def look() -> str:
        seen.append(short.task(task_id)["status"])
        return seen[-1]

    eventually(look, lambda status: status == "completed")
    # it ran, and in all that time not one request saw it running
    assert "running" not in seen
