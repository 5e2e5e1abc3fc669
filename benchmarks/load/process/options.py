"""The options of the load process, beside Locust's."""

from argparse import ArgumentParser
from typing import Any

from benchmarks.load.process.arrivals import Shape
from patterns.contract.descriptor import LearnsBy


def add_options(parser: ArgumentParser) -> None:
    """Add them to Locust's parser, and so to its web page too, but for those that make no sense there."""
    add: Any = parser.add_argument  # Locust's own takes include_in_web_ui; a group's does not
    add("--poll-interval", type=float, default=1.0, help="Seconds between polls of a fixed-poll client")
    add("--wait", type=int, default=10, help="Seconds that a polite client asks the server to hold an answer")
    add("--deadline", type=float, default=60.0, help="Seconds after which an accepted task counts as lost")
    add("--seed", type=int, default=0, help="Makes prompts, arrivals and jitter repeatable")
    hidden = {"include_in_web_ui": False}
    add("--rate", type=float, default=0.0, help="Open loop: tasks per second; give -u 0 with it", **hidden)
    add("--warm-up", type=float, default=1.0, help="Open loop: seconds before it is measured", **hidden)
    add("--duration", type=float, default=10.0, help="Open loop: seconds that are measured", **hidden)
    add("--warm-up-rate", type=float, help="Open loop: tasks per second in the warm-up, if another", **hidden)
    add("--burst", type=int, default=0, help="Open loop: so many tasks at once, in place of --duration", **hidden)
    add("--recovery", type=float, default=0.0, help="Open loop: seconds of load after what is measured", **hidden)
    add("--recovery-rate", type=float, default=0.0, help="Open loop: tasks per second in the recovery", **hidden)
    add("--arrivals", choices=[*Shape], default=Shape.POISSON, help="Open loop: how they are spread", **hidden)
    add("--max-in-flight", type=int, default=5000, help="Open loop: with more under way, drop tasks", **hidden)
    add("--callback-host", default="127.0.0.1", help="This machine's address, for callbacks", **hidden)
    add("--as", dest="contender", help="The contender's name in the samples, if not what /health says", **hidden)
    add(
        "--learns-by",
        choices=[learns_by.name for learns_by in LearnsBy],
        help="How its client learns the outcome",
        **hidden,
    )
    add("--trial", type=int, default=1, help="Its number in the samples", **hidden)
    add("--samples", type=str, help="Append a row for each task to this CSV file", **hidden)
    add("--report", type=str, help="Write what the load process saw of itself to this JSON file", **hidden)
    add("--callbacks", type=str, help="Append a row for each callback to this CSV file", **hidden)
