"""The whole instrument, from the load process to the findings, against servers whose truth is known."""

import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from benchmarks.analysis import analyse_run
from benchmarks.analysis.analyse_run import analyse_samples
from benchmarks.analysis.findings import Findings
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import Mode, Trial
from tests.benchmarks.fake_server import Behaviour, FakeServer, serving
from tests.benchmarks.load_runs import Loaded, load
from tests.benchmarks.trial_factory import record

#: What the load process and loopback add to an answer of half a second is far less than two percent of it.
_TYPICAL_SECONDS = 0.5

pytestmark = pytest.mark.thorough


def analysed(loaded: Loaded, rate: float) -> Findings:
    """What a report would say of this trial."""
    measured = loaded.measured
    trial = Trial(
        number=1, round=1, contender="in_memory_queue", mode=Mode.STEADY, rate=rate, count=len(measured),
        duration=len(measured) / rate, capacity=100.0, load=loaded.report,
    )  # fmt: skip
    return analyse_samples(record([trial], ["in_memory_queue"]), loaded.rows, {})


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial of a busy machine is in the findings too, though the load process was late: it is not compared with
    others here, but with what really happened."""
    monkeypatch.setattr(analyse_run, "invalid_reasons", lambda *_: ())


@pytest.mark.usefixtures("believed")
def test_a_known_distribution_is_reported_within_two_and_five_percent(tmp_path: Path) -> None:
    rng = random.Random(4)
    delays = [min(3.0, _TYPICAL_SECONDS * rng.lognormvariate(0, 0.5)) for _ in range(160)]
    with serving(Behaviour(work=0.0, delays=delays)) as server:
        loaded = load(server, tmp_path, rate=40, duration=4)
    spread = analysed(loaded, 40).steady[0].spreads[Measure.SUBMIT_LATENCY]
    # On a busy machine a request is also sent late, or read late. The reported latency counts this, so the truth must.
    truth = sorted(server.answered[row.task_id] - row.intended for row in loaded.measured)
    assert spread.count == 160
    # What was asked of the server is in it whole: it answers late when the machine is busy, but never early.
    assert all(true >= asked for true, asked in zip(truth, sorted(delays), strict=True))
    assert spread.p50.value == pytest.approx(truth[79], rel=0.02)  # the 80th of 160
    assert spread.p95.value == pytest.approx(truth[151], rel=0.05)
    assert spread.p99.value == pytest.approx(truth[158], rel=0.05)


def closed_loop(server: FakeServer, seconds: float) -> list[float]:
    """What a client measures that waits for each answer before it sends again."""
    took = []
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            client.post("/agent/submit", json={"prompt": "x"}, timeout=5)
            took.append(time.monotonic() - began)
            time.sleep(0.01)
    return sorted(took)


@pytest.mark.usefixtures("believed")
def test_a_stall_is_in_the_p99_of_the_open_loop_and_not_in_that_of_a_closed_one(tmp_path: Path) -> None:
    stall = Behaviour(work=0.0, stall_at=0.8, stall_for=0.8)
    with serving(stall) as server, serving(stall) as other:
        closed: list[float] = []
        beside = threading.Thread(target=lambda: closed.extend(closed_loop(other, 3.5)))
        beside.start()
        loaded = load(server, tmp_path, rate=40, duration=3, arrivals="constant")
        beside.join()
    spread = analysed(loaded, 40).steady[0].spreads[Measure.SUBMIT_LATENCY]
    assert spread.p99.value > 0.7
    assert spread.p95.value > 0.4
    assert closed[-1] > 0.6  # it was there
    assert closed[int(0.99 * len(closed)) - 1] < 0.4  # and one of a hundred requests has seen it


def test_what_could_not_be_sent_makes_the_trial_invalid_and_is_counted(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.6)) as server:
        loaded = load(server, tmp_path, rate=40, duration=1, max_in_flight=4, arrivals="constant")
    reported = analysed(loaded, 40)
    dropped = 40 - server.submits
    assert reported.steady == ()
    assert reported.instrument[0].dropped == dropped > 10
    assert f"({dropped} dropped)" in reported.left_out[0].reasons[0]


@pytest.mark.usefixtures("believed")
def test_lost_and_doubled_ids_are_counted_exactly(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.1, forget_every=6, hang_every=8)) as server:
        lossy = analysed(load(server, tmp_path / "lossy", rate=60, duration=1, deadline=2.0), 60).steady[0].tally
    assert (lossy.lost, lossy.completed, lossy.twice) == (len(server.lost), 60 - len(server.lost), 0)
    with serving(Behaviour(work=0.1, double_every=7)) as server:
        doubling = analysed(load(server, tmp_path / "doubling", rate=60, duration=1), 60).steady[0].tally
    # Every task seems to be completed: only the ids tell.
    assert (doubling.completed, doubling.twice) == (60, 8)
