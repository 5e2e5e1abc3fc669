"""Keep what Python compiled, also where it may not be kept beside the source."""

import os
import sys


def keep_compiled() -> None:
    """Where PYTHONDONTWRITEBYTECODE is set, as in many containers, this process and those it starts keep what they
    compiled in the user's cache instead.

    A server and a verdict are processes that live for seconds: compiling FastAPI anew takes each of them one more.
    Call it before the imports that are to gain by it. Raises nothing.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        cache = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")  # never raises, as Path.home() may
        sys.pycache_prefix = os.environ.setdefault(
            "PYTHONPYCACHEPREFIX", os.path.join(cache, "longjobs-kit", "compiled")
        )
        sys.dont_write_bytecode = False
