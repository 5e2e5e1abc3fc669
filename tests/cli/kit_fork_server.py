"""Runs `kit` in processes forked from this one, which has imported it: that saves each more than a second.

It reads orders from standard input, one JSON object per line, and answers with the exit code.
"""

import json
import os
import sys
import traceback
from typing import Any, Never

import patterns.cli.commands  # noqa: F401 these two are what `kit` would otherwise import each time
from kit import app


def main() -> None:
    """Take orders until there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become_kit(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 the answer


def become_kit(order: dict[str, Any]) -> Never:
    """Do in this process what `kit` does in a folder, an environment and with files that the order names."""
    code: object = 1
    try:
        for descriptor, path in enumerate((os.devnull, order["out"], order["err"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["env"])
        app(order["arguments"], prog_name="kit")
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # as the interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
