"""The sizes of each axis and the requests per size, in a full run and in a quick one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.records.growth import Axis


@dataclass(frozen=True)
class Sizes:
    """The sizes and the number of requests."""

    small: Mapping[Axis, int]
    grown: Mapping[Axis, Sequence[int]]
    expiring: Sequence[int]
    rounds: int
    requests: int  # per action, server and round


_SMALL = {Axis.RECORDS: 1_000, Axis.WAITING: 1, Axis.LONG_POLLS: 1}
FULL = Sizes(
    small=_SMALL,
    grown={
        Axis.RECORDS: (10_000, 100_000, 1_000_000),
        Axis.WAITING: (100, 1_000, 10_000),
        Axis.LONG_POLLS: (10, 100, 1_000),
    },
    expiring=(10_000, 1_000_000),
    rounds=5,
    requests=200,
)
QUICK = Sizes(
    small=_SMALL,
    grown={Axis.RECORDS: (10_000, 100_000), Axis.WAITING: (100, 1_000), Axis.LONG_POLLS: (20, 200)},
    expiring=(100_000,),
    rounds=4,
    requests=60,
)
