"""Who may be compared with whom: the patterns answer two questions, and are ranked within one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import ContenderRecord
from benchmarks.report.document import Cell, Rows, capital
from patterns import IN_MEMORY_QUEUE
from patterns.contract.descriptor import Question

#: The pattern that the two questions have in common.
BASELINE = IN_MEMORY_QUEUE.name


class About(Protocol):
    """A finding about one contender."""

    @property
    def contender(self) -> str: ...


T = TypeVar("T", bound=About)


@dataclass(frozen=True)
class Group:
    """Contenders that answer the same question."""

    heading: str
    question: Question | None  # None: no candidates for one
    names: tuple[str, ...]


def groups(findings: Findings) -> list[Group]:
    """The contenders by question. The baseline answers both; the null contender stands last and apart."""
    by_question = {question: _answering(findings, question.value) for question in Question}
    if by_question[Question.LEARNS_BY] and any(one.name == BASELINE for one in findings.contenders):
        others = [name for name in by_question[Question.LEARNS_BY] if name != BASELINE]
        by_question[Question.LEARNS_BY] = [BASELINE, *others]
    found = [Group(capital(question.value), question, tuple(names)) for question, names in by_question.items()]
    # Nobody who was measured is missing from a table, whatever question they say they answer.
    known = {question.value for question in Question}
    for asked in dict.fromkeys(one.teaches for one in findings.contenders if _is_candidate(one)):
        if asked not in known:
            heading = capital(asked) or "No question was named"
            found.append(Group(heading, None, tuple(_answering(findings, asked))))
    found.append(Group("Both at once", None, _of_kind(findings, "matrix")))
    found.append(Group("The harness's own cost: not a candidate", None, _of_kind(findings, "null")))
    return [group for group in found if group.names]


def of_question(findings: Findings, question: Question) -> tuple[str, ...]:
    """The candidates for one question."""
    return next((group.names for group in groups(findings) if group.question is question), ())


def grouped(findings: Findings, items: Sequence[T]) -> list[tuple[Group, list[T]]]:
    """What was found, by question; groups of which nothing was found are left out."""
    by_name = {item.contender: item for item in items}
    pairs = [(group, [by_name[name] for name in group.names if name in by_name]) for group in groups(findings)]
    return [(group, members) for group, members in pairs if members]


def rows(findings: Findings, items: Sequence[T], row: Callable[[T], Sequence[Cell]]) -> list[Rows]:
    """A row for each, by question."""
    return [Rows(group.heading, [row(item) for item in members]) for group, members in grouped(findings, items)]


def _answering(findings: Findings, question: str) -> list[str]:
    return [one.name for one in findings.contenders if _is_candidate(one) and one.teaches == question]


def _is_candidate(contender: ContenderRecord) -> bool:
    return contender.kind not in {"null", "matrix"}


def _of_kind(findings: Findings, kind: str) -> tuple[str, ...]:
    return tuple(one.name for one in findings.contenders if one.kind == kind)
