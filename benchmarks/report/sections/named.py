"""A contender as something that can be put in a table by question."""

from dataclasses import dataclass

from benchmarks.records.run import ContenderRecord


@dataclass(frozen=True)
class Named:
    """A contender, under its name."""

    contender: str
    about: ContenderRecord
