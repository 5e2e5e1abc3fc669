"""Which contenders may be compared: patterns answer one of two questions and are ranked only within it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from benchmarks.analysis.findings import Findings
from benchmarks.records.run import ContenderRecord
from benchmarks.report.document import Cell, Rows, capitalized
from patterns import IN_MEMORY_QUEUE
from patterns.contract.descriptor import Question

#: The pattern that the two questions have in common.
BASELINE = IN_MEMORY_QUEUE.name


class OfContender(Protocol):
    """A finding about one contender."""

    @property
    def contender(self) -> str: ...


T = TypeVar("T", bound=OfContender)


@dataclass(frozen=True)
class Group:
    """Contenders that answer the same question."""

    heading: str
    question: Question | None  # None: not candidates for a recommendation
    names: tuple[str, ...]


def groups(findings: Findings) -> list[Group]:
    """The contenders by question. The baseline answers both; the null contender comes last, in its own group."""
    by_question = {question: _answering(findings, question.value) for question in Question}
    if by_question[Question.LEARNS_BY] and any(each.name == BASELINE for each in findings.contenders):
        others = [name for name in by_question[Question.LEARNS_BY] if name != BASELINE]
        by_question[Question.LEARNS_BY] = [BASELINE, *others]
    all_groups = [Group(capitalized(question.value), question, tuple(names)) for question, names in by_question.items()]
    # Every contender appears in a table, even if its descriptor names another question.
    known = {question.value for question in Question}
    for question in dict.fromkeys(each.teaches for each in findings.contenders if _is_candidate(each)):
        if question not in known:
            heading = capitalized(question) or "No question declared"
            all_groups.append(Group(heading, None, tuple(_answering(findings, question))))
    all_groups.append(Group("Both questions", None, _of_kind(findings, "matrix")))
    all_groups.append(Group("Harness overhead (not a candidate)", None, _of_kind(findings, "null")))
    return [group for group in all_groups if group.names]


def of_question(findings: Findings, question: Question) -> tuple[str, ...]:
    """The candidates for one question."""
    return next((group.names for group in groups(findings) if group.question is question), ())


def grouped(findings: Findings, items: Sequence[T]) -> list[tuple[Group, list[T]]]:
    """The items by question, without empty groups."""
    by_name = {item.contender: item for item in items}
    pairs = [(group, [by_name[name] for name in group.names if name in by_name]) for group in groups(findings)]
    return [(group, members) for group, members in pairs if members]


def rows(findings: Findings, items: Sequence[T], row: Callable[[T], Sequence[Cell]]) -> list[Rows]:
    """A row for each item, by question."""
    return [Rows(group.heading, [row(item) for item in members]) for group, members in grouped(findings, items)]


def contender_rows(findings: Findings, row: Callable[[ContenderRecord], Sequence[Cell]]) -> list[Rows]:
    """A row for each contender, by question."""
    by_name = {contender.name: contender for contender in findings.contenders}
    return [Rows(group.heading, [row(by_name[name]) for name in group.names]) for group in groups(findings)]


def _answering(findings: Findings, question: str) -> list[str]:
    return [each.name for each in findings.contenders if _is_candidate(each) and each.teaches == question]


def _is_candidate(contender: ContenderRecord) -> bool:
    return contender.kind not in {"null", "matrix"}


def _of_kind(findings: Findings, kind: str) -> tuple[str, ...]:
    return tuple(contender.name for contender in findings.contenders if contender.kind == kind)
