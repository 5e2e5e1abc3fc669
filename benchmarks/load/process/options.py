"""The options of the load process, in addition to Locust's."""

from argparse import ArgumentParser
from typing import Any

from benchmarks.load.process.arrivals import Shape
from patterns.contract.descriptor import LearnsBy


def add_options(parser: ArgumentParser) -> None:
    """Add the options to Locust's parser. Those that apply to its web page also appear there."""
    add: Any = parser.add_argument  # Locust's accepts include_in_web_ui; that of a group does not
    add("--poll-interval", type=float, default=1.0, help="Seconds between polls of a fixed-poll client")
    add("--wait", type=int, default=10, help="Long-poll duration of an adaptive client in seconds")
    add("--deadline", type=float, default=60.0, help="Seconds after which an accepted task counts as lost")
    add("--seed", type=int, default=0, help="Seed of prompts, arrivals and jitter")
    hidden = {"include_in_web_ui": False}
    add("--rate", type=float, default=0.0, help="Open loop: tasks per second; use with -u 0", **hidden)
    add("--warm-up", type=float, default=1.0, help="Open loop: seconds of warm-up", **hidden)
    add("--duration", type=float, default=10.0, help="Open loop: measured seconds", **hidden)
    add("--warm-up-rate", type=float, help="Open loop: tasks per second in the warm-up; default: --rate", **hidden)
    add("--burst", type=int, default=0, help="Open loop: tasks to send at once, instead of --duration", **hidden)
    add("--recovery", type=float, default=0.0, help="Open loop: seconds of load after the measured phase", **hidden)
    add("--recovery-rate", type=float, default=0.0, help="Open loop: tasks per second in the recovery", **hidden)
    add("--arrivals", choices=[*Shape], default=Shape.POISSON, help="Open loop: distribution of arrivals", **hidden)
    add("--max-in-flight", type=int, default=5000, help="Open loop: drop tasks beyond this number", **hidden)
    add("--callback-host", default="127.0.0.1", help="Address of this machine for callbacks", **hidden)
    add("--as", dest="contender", help="Contender name in the samples; default: from /health", **hidden)
    add(
        "--learns-by",
        choices=[learns_by.name for learns_by in LearnsBy],
        help="How its client learns the outcome",
        **hidden,
    )
    add("--trial", type=int, default=1, help="Trial number in the samples", **hidden)
    add("--samples", type=str, help="Append a row for each task to this CSV file", **hidden)
    add("--report", type=str, help="Write the load process's report about itself to this JSON file", **hidden)
    add("--callbacks", type=str, help="Append a row for each callback to this CSV file", **hidden)
