"""Checks run concurrently: while the processes of a check are ended, a process of another may just have been forked."""

import subprocess
import sys

from exercises.course import SOLUTIONS
from tests.cli.command import environment

#: A forked process that has not run yet: it does not have its own session.
SCRIPT = """\
import os, signal
from tests.checkpoints.engine.processes import fork_main
fork_main._become = lambda job, descriptors: signal.pause()
class Control:
    def close(self): pass
jobs = {}
ordered = lambda order: fork_main._carry_out(Control(), order, [], jobs)
other, newborn = ordered({"job": {"run": ""}})["pid"], ordered({"job": {"run": ""}})["pid"]
ordered({"end": [other]})
os.kill(newborn, signal.SIGTERM)
print(jobs[other], os.waitstatus_to_exitcode(os.waitpid(newborn, 0)[1]))
"""


def test_a_process_that_was_just_forked_is_not_an_orphan() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment({}),
        cwd=SOLUTIONS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "-9 -15\n", done.stderr
