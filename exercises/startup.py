"""What `kit` does before its other imports, so that it starts fast and exits without a traceback.

- Ctrl-C during the imports ends the process silently: no import ends in a traceback.
- At exit the interpreter skips its last garbage collection: 80 ms of `kit --help`, 20 ms of `kit list`.
- Compiled files are kept even if PYTHONDONTWRITEBYTECODE is set, as in many containers: 290 ms of
  `kit check`, 570 ms of `kit --help`. This also applies to each server that is started.
- A current folder that has been deleted is reported in one line: Python's imports and `Path.cwd()` would fail in it.
- `kit check` and `kit watch` start importing what the learner's code imports on the other core: 60 ms
  of `kit check`, and no measurable difference if other programs keep both cores busy.

This module itself imports the standard library only. The times are differences of medians of 9 runs on two cores.
"""

import atexit
import gc
import os
import signal
import sys


def start() -> None:
    """Prepare this process for a `kit` command. Exits with 2 if the current folder does not exist."""
    atexit.register(gc.freeze)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # A command that has to clean up sets its own handler in its first line.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    keep_compiled()
    try:
        os.getcwd()
    except OSError:
        print("kit: The current folder no longer exists. Change to another folder: cd", file=sys.stderr)  # noqa: T201 no typer yet
        sys.exit(2)
    if sys.argv[1:2] in (["check"], ["watch"]):
        from exercises.preload import preload  # noqa: PLC0415 no other command needs it

        preload(sys.argv[2:])


def keep_compiled() -> None:
    """Keep compiled files in the user's cache if they must not be written next to the source.

    Applies to later imports in this process, and to the processes that it starts. Never raises.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        cache = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")  # unlike Path.home(), never raises
        sys.pycache_prefix = os.environ.setdefault(
            "PYTHONPYCACHEPREFIX", os.path.join(cache, "longjobs-kit", "compiled")
        )
        sys.dont_write_bytecode = False
