"""The processes that run checkpoints against many targets end with the test run, even if it is killed."""

import subprocess
import sys
import uuid

from exercises.course import SOLUTIONS
from tests.cli.command import environment
from tests.cli.marked_processes import running
from tests.support.waiting import eventually

SCRIPT = """\
import time
from tests.support.process_pool import processes
if __name__ == "__main__":
    with processes(2) as pool:
        for seconds in (600, 600, 600):
            pool.apply_async(time.sleep, [seconds])
"""


def test_a_pool_ends_with_the_process_that_started_it() -> None:
    mark = f"TEST_{uuid.uuid4().hex}"
    script = subprocess.Popen([sys.executable, "-c", SCRIPT], env={**environment({}), mark: "1"}, cwd=SOLUTIONS.parent)
    try:
        eventually(lambda: len(running(mark)), lambda count: count >= 4)  # script, resource tracker, two workers
    finally:
        script.kill()
        script.wait()
    try:
        eventually(lambda: running(mark), lambda left: left == [])
    finally:
        for left in running(mark):
            left.kill()
