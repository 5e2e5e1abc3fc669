"""How far the run can be trusted, and how to repeat it."""

from collections.abc import Mapping
from typing import Any

from benchmarks.analysis.findings import Findings, Instrument
from benchmarks.report.document import (
    Block,
    Cell,
    Notice,
    Rows,
    Section,
    Table,
    Text,
    Tone,
    code,
    plain_cells,
)
from benchmarks.report.formatting import duration, integer, percent
from benchmarks.report.question_groups import rows

#: Above this p99, the latencies include delays of the load process itself.
LATE_SECONDS = 0.05


def validity(findings: Findings) -> Section:
    """The trials left out, the load process, and the environment."""
    blocks: list[Block] = [_left_out(findings)]
    if findings.left_out:
        blocks.append(_reasons(findings))
    blocks += [Notice(text) for text in findings.warnings]
    if findings.instrument:
        blocks += [
            Text(
                f"{_sent_in_time(findings)}The load process measures itself too. If it sent tasks more than "
                f"{duration(LATE_SECONDS)} late (p99), the latencies include its own delay. (The tasks of a burst "
                f"share one send time, so they do not count here.) Its busiest second is a share of one core: at "
                f"100 % it is saturated."
            ),
            _instrument(findings),
        ]
    return Section("validity", "Can the results be trusted?", [*blocks, *_environment(findings)])


def _left_out(findings: Findings) -> Block:
    left, trials = len(findings.left_out), findings.trials
    if left:
        return Notice(
            f"{integer(left)} of {integer(trials)} trials {'was' if left == 1 else 'were'} left out of all metrics:"
        )
    return Text(f"{integer(trials)} {'trial' if trials == 1 else 'trials'}, none left out.")


def _sent_in_time(findings: Findings) -> str:
    late = max(instrument.lateness_p99 for instrument in findings.instrument)
    if late > LATE_SECONDS or any(instrument.dropped for instrument in findings.instrument):
        return ""
    return f"Every task was sent; p99 of the lateness is at most {duration(late)}. "


def _reasons(findings: Findings) -> Table:
    lines = [
        [
            *plain_cells(integer(trial.trial), code(trial.contender), trial.mode.value),
            Cell("; ".join(trial.reasons) or "no reason was given", Tone.BAD),
        ]
        for trial in findings.left_out
    ]
    return Table("Trials left out", ("trial", "contender", "mode", "why"), [Rows("", lines)], frozenset({1, 2, 3}))


def _instrument(findings: Findings) -> Table:
    def row(instrument: Instrument) -> list[Cell]:
        late = Cell(
            duration(instrument.lateness_p99), Tone.BAD if instrument.lateness_p99 > LATE_SECONDS else Tone.PLAIN
        )
        dropped = Cell(integer(instrument.dropped), Tone.BAD if instrument.dropped else Tone.PLAIN)
        return [
            Cell(code(instrument.contender)),
            late,
            Cell(percent(instrument.busiest_cpu_share)),
            Cell(integer(instrument.offered)),
            dropped,
        ]

    columns = ("contender", "late (p99)", "busiest second", "offered", "dropped")
    well = all(instrument.lateness_p99 <= LATE_SECONDS and not instrument.dropped for instrument in findings.instrument)
    return Table("The load process", columns, rows(findings, findings.instrument, row), folded=well)


def _environment(findings: Findings) -> list[Block]:
    record = findings.record
    run = {
        "command": code(record.command) if record.command else "",
        "seed": record.seed,
        "began": record.began,
        "ended": record.ended if record.complete else f"{record.ended} (interrupted)",
        "kit": " ".join(filter(None, [record.kit, record.git and f"revision {record.git}"])),
    }
    facts = {"The run": run, "The machine": record.host, "Versions": record.versions, "Settings": record.settings}
    groups = [Rows(heading, _facts(values)) for heading, values in facts.items() if values]
    return [Table("How to repeat this run", ("", "value"), groups, frozenset({0, 1}))]


def _facts(facts: Mapping[str, Any]) -> list[tuple[Cell, ...]]:
    return [plain_cells(name, _value(value)) for name, value in facts.items() if value not in ("", None)]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return str(value)
