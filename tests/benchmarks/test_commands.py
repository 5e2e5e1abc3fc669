"""`kit bench` as a user meets it: in one line when something is wrong, and nothing left behind."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from benchmarks.commands import bench_app
from benchmarks.plan.presets import PlanError, make_plan
from benchmarks.plan.workload import Length, Workload
from benchmarks.records.samples import Outcome, read_samples
from tests.support.exit_codes import as_a_shell_says
from tests.support.waiting import eventually

app = bench_app


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--patterns", "celery"],
            "kit: There is no pattern 'celery'. The patterns are: background_tasks, celery_queue,",
        ),
        (["--patterns", "webhook,smoke,mirrors"], "kit: There is no pattern 'smoke', 'mirrors'. The patterns are:"),
        (["--patterns", ","], "kit: --patterns is empty."),
        (["--quick", "--rate", "100"], "kit: --rate 100 is too high for 14 workers: a task takes 0.25 s"),
        (["--rate", "0.2", "--duration", "1"], "kit: --rate 0.2 for --duration 1 s yields no task."),
        (["--out", "/proc/nowhere"], "kit: --out /proc/nowhere: "),
    ],
)
def test_options_that_cannot_run_end_in_one_line_with_exit_code_2(options: list[str], words: str) -> None:
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(words)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [["--rate", "0"], ["--duration", "0"], ["--workers", "0"], ["--seed", "-1"]])
def test_a_number_out_of_range_is_refused_with_exit_code_2(options: list[str]) -> None:
    assert CliRunner().invoke(app, options).exit_code == 2


def test_a_folder_with_the_samples_of_another_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").touch()
    result = CliRunner().invoke(app, ["--quick", "--out", str(tmp_path)])
    assert result.exit_code == 2

    assert "contains the samples of another run" in result.stderr.replace("\n", " ")


def test_a_bad_setting_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_TASK_TIMEOUT_SECONDS", "soon")
    result = CliRunner().invoke(app, ["--quick", "--patterns", "polling", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "kit: KIT_TASK_TIMEOUT_SECONDS=soon" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_does_not_start_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # nothing listens there
    result = CliRunner().invoke(app, ["--quick", "--patterns", "celery_queue", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("kit: ")
    assert "Traceback" not in result.stderr


def test_without_a_rate_the_workers_are_half_busy() -> None:
    for quick, workers in ((True, None), (False, None), (True, 3), (False, 40)):
        assert make_plan(quick=quick, workers=workers).utilisation == pytest.approx(0.5)


@pytest.mark.parametrize("length", Length)
def test_the_mean_duration_of_a_task_falls_between_two_polls(length: Length) -> None:
    work = Workload(length)
    assert 0.25 < work.seconds / work.poll_interval % 1 < 0.75


def test_a_rate_just_within_the_capacity_is_accepted() -> None:
    assert make_plan(quick=True, rate=53).rate == 53
    with pytest.raises(PlanError, match=r"at most 53\.2 per second"):
        make_plan(quick=True, rate=54)


def command_lines(processes: list[psutil.Process]) -> list[list[str]]:
    """The command lines of the processes that still exist."""
    command_lines = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            command_lines.append(process.cmdline())
    return command_lines


def interrupted(folder: Path, until: Callable[[list[psutil.Process]], bool]) -> tuple[int, str, str, list[str]]:
    """Start a bench and press Ctrl-C once `until` is true: exit code, both outputs, and what is still running."""
    argv = [sys.executable, "-m", "kit", "bench", "--quick", "--json", "--patterns", "in_memory_queue"]
    argv += ["--duration", "60", "--out", str(folder)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as bench:
        try:
            me = psutil.Process(bench.pid)
            started: list[psutil.Process] = eventually(lambda: me.children(recursive=True), until)
            bench.send_signal(signal.SIGINT)
            out, err = bench.communicate(timeout=20)
        finally:
            bench.kill()
    # The reaper ends after its parent, so it may be the last.
    _, left = psutil.wait_procs(started, timeout=5)
    return as_a_shell_says(bench.returncode), out, err, [str(process) for process in left]


def test_ctrl_c_exits_130_keeps_the_measurements_and_leaves_nothing_running(tmp_path: Path) -> None:
    samples = tmp_path / "samples.csv"

    def some_are_done(processes: list[psutil.Process]) -> bool:
        return samples.exists() and samples.read_text().count("measured,") > 5

    code, out, err, left = interrupted(tmp_path, some_are_done)
    assert code == 130
    assert left == []
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1] == f"kit: Interrupted. The measurements so far are in {tmp_path}"
    summary = json.loads(out)  # nothing else is there
    assert summary["record"]["complete"] is False
    (left_out,) = summary["left_out"]  # half a trial is no trial; its samples are kept
    assert left_out["reasons"] == ["it was interrupted"]
    kept = read_samples(tmp_path / "samples.csv.gz")
    assert sum(row.outcome is Outcome.COMPLETED for row in kept) > 5
    assert (tmp_path / "report.html").exists()


def test_ctrl_c_before_anything_is_measured_says_so_and_leaves_nothing_running(tmp_path: Path) -> None:
    def a_server_is_there(processes: list[psutil.Process]) -> bool:
        return "patterns.web.process" in str(command_lines(processes))

    code, out, err, left = interrupted(tmp_path, a_server_is_there)
    assert code == 130
    assert left == []
    assert out == ""
    assert err.strip().splitlines()[-1] == "kit: Interrupted. Nothing was measured yet."
