"""The measured throughput of each target as a table."""

from statistics import median

from rich.table import Table

from benchmarks.scale.submit_throughput.measurement import Rounds, ratios, reached
from benchmarks.scale.submit_throughput.targets import TARGETS


def table(rounds: Rounds) -> Table:
    """A row for each target: the median over rounds, with minimum and maximum."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    shown.add_column("\ntarget", no_wrap=True)
    headings = ("submits/s\nmedian", "\nmin-max", "ratio\nmedian", "\nmin-max", "by CPU\ntime", "\ntarget")
    for heading in (*headings, "server\ncore", "hammer\ncore", "not\n202"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for target in TARGETS:
        trials = [by_target[target.name] for by_target in rounds]
        speeds = [trial.per_second for trial in trials]
        cells = [f"{median(speeds):.0f}", f"{min(speeds):.0f}-{max(speeds):.0f}"]
        if target.bound is None:
            cells += [""] * 4
        else:
            all_ratios = ratios(rounds, target)
            style = "green" if reached(rounds, target) else "red"
            cells += [f"[{style}]{median(all_ratios):.2f}[/]", f"{min(all_ratios):.2f}-{max(all_ratios):.2f}"]
            cells += [f"{median(ratios(rounds, target, 'per_core_second')):.2f}"]
            cells += [f">= {target.bound.at_least:g} of {target.bound.against}"]
        cells += [f"{median(trial.server_share for trial in trials):.0%}"]
        cells += [f"{median(trial.hammer_share for trial in trials):.0%}"]
        shown.add_row(target.name, *cells, str(sum(trial.not_accepted for trial in trials)))
    return shown
