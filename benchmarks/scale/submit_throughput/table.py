"""The measured throughput of each target as a table."""

from statistics import median

from rich.table import Table

from benchmarks.scale.submit_throughput.measurement import Rounds, ratios, reached
from benchmarks.scale.submit_throughput.targets import TARGETS


def table(rounds: Rounds) -> Table:
    """A line for each contender: medians of the rounds, and the lowest and the highest."""
    shown = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    shown.add_column("\ncontender", no_wrap=True)
    headings = ("submits/s\nmedian", "\nmin-max", "ratio\nmedian", "\nmin-max", "by core\ntime", "\nwanted")
    for heading in (*headings, "server\ncore", "hammer\ncore", "not\n202"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for contender in TARGETS:
        trials = [trials[contender.name] for trials in rounds]
        speeds = [trial.per_second for trial in trials]
        cells = [f"{median(speeds):.0f}", f"{min(speeds):.0f}-{max(speeds):.0f}"]
        if contender.bound is None:
            cells += [""] * 4
        else:
            all_ratios = ratios(rounds, contender)
            style = "green" if reached(rounds, contender) else "red"
            cells += [f"[{style}]{median(all_ratios):.2f}[/]", f"{min(all_ratios):.2f}-{max(all_ratios):.2f}"]
            cells += [f"{median(ratios(rounds, contender, 'per_core_second')):.2f}"]
            cells += [f">= {contender.bound.at_least:g} of {contender.bound.against}"]
        cells += [f"{median(trial.server_share for trial in trials):.0%}"]
        cells += [f"{median(trial.hammer_share for trial in trials):.0%}"]
        shown.add_row(contender.name, *cells, str(sum(trial.not_accepted for trial in trials)))
    return shown
