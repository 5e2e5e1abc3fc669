"""What the load process can be told, beside Locust's own options."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from benchmarks.load.arrivals import Shape


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
    add("--arrivals", choices=[*Shape], default=Shape.POISSON, help="Open loop: how they are spread", **hidden)
    add("--max-in-flight", type=int, default=5000, help="Open loop: with more under way, drop tasks", **hidden)
    add("--trial", type=int, default=1, help="Its number in the samples", **hidden)
    add("--samples", type=Path, help="Append a row for each task to this CSV file", **hidden)
    add("--callbacks", type=Path, help="Append a row for each callback to this CSV file", **hidden)
