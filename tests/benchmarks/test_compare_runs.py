"""`kit bench compare` and `kit bench report`, from the files of runs alone."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.analysis.compare_runs import ChangeVerdict, compare_runs
from benchmarks.commands import bench_app
from benchmarks.load.process.row_files import SAMPLES, RowFiles
from benchmarks.records.run import RunFolder, RunRecord
from benchmarks.records.samples import Sample, pack
from benchmarks.report import progress
from tests.benchmarks.trial_factory import record, rows, trial


@pytest.fixture(autouse=True)
def _no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, a slow step would print a line of progress to standard error."""
    monkeypatch.setattr(progress, "_SILENT_SECONDS", 60.0)


def run_in(folder: Path, *, slower: float = 1.0, seed: int = 0, **settings: Any) -> RunFolder:
    """A run of three rounds whose submits take `slower` times as long."""
    rng = random.Random(seed)
    everything: list[Sample] = []
    trials = []
    for number in (1, 2, 3):
        samples = rows(80, trial=number, make=lambda _: {"latency": slower * rng.uniform(0.008, 0.012)})
        everything += samples
        trials.append(trial(samples, round=number))
    return written(folder, record(trials, settings={"rate": 10.0, **settings}), everything)


def written(folder: Path, run: RunRecord, samples: list[Sample]) -> RunFolder:
    """Write the files of a run as `kit bench` does."""
    folder.mkdir()
    run_folder = RunFolder(folder)
    run_folder.write_record(run)
    files = RowFiles(str(run_folder.samples), None)
    for sample in samples:
        files.write(SAMPLES, sample.row())
    files.close()
    if samples:
        pack(run_folder.samples)
    return run_folder


def invoke(*arguments: object) -> tuple[int, str, str]:
    """Run the command. Returns exit code, standard output and standard error."""
    result = CliRunner().invoke(bench_app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_regression_beyond_the_bound_is_named_and_exits_with_1(tmp_path: Path) -> None:
    run_in(tmp_path / "a")
    run_in(tmp_path / "b", slower=1.3, seed=1)
    code, out, err = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert "worse" in out
    assert err == "kit: submit p50 of one got worse by more than 10 %.\n"
    assert invoke("compare", tmp_path / "a", tmp_path / "b", "--bound", "50")[0] == 0


def test_an_identical_run_is_the_same(tmp_path: Path) -> None:
    run_in(tmp_path / "a")
    run_in(tmp_path / "b", seed=1)
    comparison = compare_runs(RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b"), 0.1)
    assert {change.verdict for change in comparison.changes} == {ChangeVerdict.SAME}
    assert [change.metric for change in comparison.changes] == [
        "submit p50", "notify p50", "end to end p50", "end to end p99",
    ]  # fmt: skip
    assert invoke("compare", tmp_path / "a", tmp_path / "b")[0] == 0


def test_an_improvement_is_no_regression(tmp_path: Path) -> None:
    run_in(tmp_path / "a")
    run_in(tmp_path / "b", slower=0.5, seed=1)
    code, out, _ = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert "better" in out
    assert "worse" not in out


def test_different_settings_are_reported(tmp_path: Path) -> None:
    run_in(tmp_path / "a")
    run_in(tmp_path / "b", rate=20.0)
    assert "The runs differ: rate: 10.0, then 20.0" in invoke("compare", tmp_path / "a", tmp_path / "b")[1]


def test_runs_without_anything_in_common_cannot_be_compared(tmp_path: Path) -> None:
    run_in(tmp_path / "a")
    written(tmp_path / "b", record([], []), [])
    code, _, err = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert (code, err) == (2, "kit: The two runs have no valid trial of the same contender at a steady rate.\n")


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_folder_without_a_run_is_reported_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "run.json").write_text('{"format": 1, "trials": 3}')
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "run.json").write_text(json.dumps({"format": 99}))
    for folder, words in (("nowhere", "is not a run"), ("spoilt", "cannot be read"), ("newer", "reads format 1")):
        path = tmp_path / folder
        code, _, err = invoke(command, path, *([path] if command == "compare" else []))
        assert code == 2
        assert words in err
        assert err.count("\n") == 1


def test_every_report_can_be_created_again_from_the_samples(tmp_path: Path) -> None:
    folder = run_in(tmp_path / "a")
    assert invoke("report", folder.path)[0] == 0
    first = folder.html.read_text(), folder.markdown.read_text()
    folder.html.unlink()
    folder.markdown.unlink()
    assert invoke("report", folder.path)[0] == 0
    assert (folder.html.read_text(), folder.markdown.read_text()) == first


def with_null(folder: Path, *, slower: float = 1.0, null_ms: float | None = 1.0, seed: int = 0) -> RunFolder:
    """One round, with a null contender whose submits take `null_ms`."""
    rng = random.Random(seed)
    samples = rows(80, make=lambda _: {"latency": slower * rng.uniform(0.08, 0.12)})
    if null_ms is None:
        return written(folder, record([trial(samples)]), samples)
    nothing = rows(80, trial=2, pattern="null", latency=null_ms / 1000, work=0.0, lag=0.0)
    return written(folder, record([trial(samples), trial(nothing)], ["one", "null"]), [*samples, *nothing])


def test_if_the_null_contender_changed_so_did_the_machine_and_there_is_no_verdict(tmp_path: Path) -> None:
    with_null(tmp_path / "a")
    with_null(tmp_path / "b", slower=3.0, null_ms=1.63, seed=1)
    code, out, err = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert code == 2
    assert err.startswith(
        "kit: The machine changed: the null contender, which does no work, took 1 ms before and 1.63 ms after (submit "
        "p50, +63%)."
    )
    assert err.count("\n") == 1
    assert not {"worse", "better", "same"} & set(out.split())


def test_if_the_null_contender_did_not_change_a_regression_is_named(tmp_path: Path) -> None:
    with_null(tmp_path / "a")
    with_null(tmp_path / "b", slower=3.0, null_ms=1.05, seed=1)
    code, out, err = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert "worse" in out
    assert "submit p50 of one" in err
    assert invoke("compare", tmp_path / "a", tmp_path / "a")[0] == 0


def test_without_a_null_contender_in_both_runs_the_missing_check_is_reported(tmp_path: Path) -> None:
    with_null(tmp_path / "a")
    with_null(tmp_path / "b", null_ms=None, seed=1)
    words = "a change of the machine cannot be detected"
    assert words in " ".join(invoke("compare", tmp_path / "a", tmp_path / "b")[1].split())
    assert words not in invoke("compare", tmp_path / "a", tmp_path / "a")[1]


def test_one_round_names_no_change_within_the_margin(tmp_path: Path) -> None:
    with_null(tmp_path / "a")
    with_null(tmp_path / "b", slower=1.15, seed=1)  # 15 ms of 100: significant, but less than a quarter
    code, out, _ = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert "worse" not in out


def test_a_run_without_its_samples_keeps_its_report(tmp_path: Path) -> None:
    folder = run_in(tmp_path / "a")
    folder.packed_samples.unlink()
    folder.html.write_text("made before")
    code, _, err = invoke("report", folder.path)
    assert code == 2
    assert "has no samples.csv.gz" in err
    assert err.count("\n") == 1
    assert folder.html.read_text() == "made before"


def test_the_summary_is_the_default_and_full_prints_the_whole_report(tmp_path: Path) -> None:
    folder = run_in(tmp_path / "a")
    answer, everything = invoke("report", folder.path)[1], invoke("report", folder.path, "--full")[1]
    assert "Where the work runs:" in answer
    assert "Can the results be trusted?" in everything
    assert "Can the results be trusted?" not in answer
