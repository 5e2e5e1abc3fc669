"""Samples can be written, shared between trials, and read back, even from an incomplete file."""

from pathlib import Path

import pytest

from benchmarks.load.process.row_files import CALLBACKS, SAMPLES, RowFiles
from benchmarks.records.callbacks import CallbackVerdict, callback_row, count_callbacks
from benchmarks.records.samples import HEADER, Outcome, Phase, Sample, SamplesError, pack, read_samples

FULL = Sample(
    pattern="webhook",
    trial=2,
    number=17,
    phase=Phase.MEASURED,
    intended=1795397280.942929,
    sent=1795397280.943726,
    accepted=1795397280.94593,
    started=1795397280.945578,
    finished=1795397281.15232,
    notified=1795397281.198729,
    task_id='an id, with "quotes", and\na line break',
    outcome=Outcome.COMPLETED,
    status="completed",
    http_status=202,
    requests=4,
)
EMPTY = Sample(pattern="polling", trial=1, number=0, phase=Phase.WARM_UP, intended=1.0)


def write(path: Path, *samples: Sample) -> None:
    """Append samples as one trial does."""
    rows = RowFiles(str(path), None)
    for sample in samples:
        rows.write(SAMPLES, sample.row())
    rows.close()


def test_samples_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write(path, FULL, EMPTY)
    assert read_samples(path) == [FULL, EMPTY]


def test_trials_share_a_file_with_a_single_header(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write(path, EMPTY)
    write(path, EMPTY)
    assert path.read_text().splitlines()[0] == ",".join(HEADER)
    assert read_samples(path) == [EMPTY, EMPTY]


def test_a_row_is_flushed_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    rows = RowFiles(str(path), None)
    rows.write(SAMPLES, EMPTY.row())
    assert read_samples(path) == [EMPTY]
    rows.close()


def test_a_compressed_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write(path, FULL, EMPTY)
    packed = pack(path)
    assert packed.name == "samples.csv.gz"
    assert not path.exists()
    assert read_samples(packed) == [FULL, EMPTY]


def test_a_truncated_compressed_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write(path, *[FULL] * 50)
    packed = pack(path)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(SamplesError, match=r"samples.csv.gz cannot be read"):
        read_samples(packed)


def test_an_incomplete_last_line_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    write(path, EMPTY)
    with path.open("a") as file:
        file.write("polling,1,3,meas")
    assert read_samples(path) == [EMPTY]


def test_a_missing_file_has_no_samples(tmp_path: Path) -> None:
    assert read_samples(tmp_path / "samples.csv") == []


def test_a_file_with_another_header_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with pytest.raises(SamplesError, match=r"not the samples header"):
        read_samples(path)


@pytest.mark.parametrize("spoilt", ["1,2,3", EMPTY.row().strip().replace("warm-up", "lunch"), EMPTY.row() * 0 + ","])
def test_an_invalid_row_is_refused_with_its_line_number(tmp_path: Path, spoilt: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(",".join(HEADER) + "\n" + EMPTY.row() + spoilt + "\n")
    with pytest.raises(SamplesError, match="line 3"):
        read_samples(path)


def test_unknown_moments_have_no_durations() -> None:
    assert EMPTY.submit_latency is None
    assert EMPTY.end_to_end is None
    assert EMPTY.notification_lag is None


def test_callbacks_are_counted_by_pattern_and_verdict(tmp_path: Path) -> None:
    path = tmp_path / "callbacks.csv"
    for _ in range(2):
        rows = RowFiles(None, str(path))
        rows.write(CALLBACKS, callback_row("webhook", 1, 1.0, "msg-1", CallbackVerdict.ACCEPTED))
        rows.write(CALLBACKS, callback_row("webhook", 1, 1.0, "msg-1", CallbackVerdict.REPEATED))
        rows.close()
    assert count_callbacks(path) == {"webhook": {"taken": 2, "repeated": 2}}
    assert count_callbacks(tmp_path / "none.csv") == {}
