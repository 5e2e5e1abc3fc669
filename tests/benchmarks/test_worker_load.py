"""`worker_load` in a small run."""

import json
import subprocess
import sys

import pytest


@pytest.mark.thorough
def test_worker_load_runs_and_every_value_is_a_number() -> None:
    argv = [sys.executable, "-m", "benchmarks.scale.worker_load", "--json"]
    argv += ["--tasks", "100", "--workers", "30", "--idle-seconds", "3"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr

    load = json.loads(done.stdout)

    assert load["bytes_per_waiting_task"] > 100
    assert load["bytes_per_finished_task"] > 100
    assert load["commands_per_task"] > 10  # it reports progress ten times
    assert load["redis_cpu_microseconds_per_task"] > 0
    assert load["web_cpu_microseconds_per_submit"] > 0
    assert load["connections_per_worker"] > load["processes"]
    assert load["idle_commands"]["brpop"] > 0
    assert [crowd["commands_per_second"] > 10 for crowd in load["crowds"]] == [True, True]
