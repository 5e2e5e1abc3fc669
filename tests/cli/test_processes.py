"""A child that is started again begins with a clean slate."""

import os

import psutil

from patterns.serving.processes import Family
from tests.cli.serve_process import alive
from tests.support.waiting import eventually


def test_what_a_killed_child_has_left_behind_is_ended_before_it_is_started_again() -> None:
    with Family() as family:
        child = family.start("shell", ["/bin/sh", "-c", "sleep 1000 & wait"], os.environ)
        [left_behind] = eventually(lambda: psutil.Process(child.pid).children(), bool)
        child.kill()
        assert alive(left_behind)

        child.start()

        eventually(lambda: alive(left_behind), lambda is_alive: not is_alive)
        assert child.exit_code is None
