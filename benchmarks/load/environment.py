"""The environment of a run: machine, versions and revision."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType

import psutil
import redis
from redis.exceptions import RedisError

from patterns.contract.descriptor import Pattern

_LIBRARIES = ("fastapi", "uvicorn", "celery", "redis", "httpx", "locust", "gevent")
_KIT = "longjobs-kit"


def machine() -> dict[str, str | int]:
    """The hardware, Python and kernel of this machine."""
    return {
        "cores": os.cpu_count() or 1,
        "processor": _processor(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": f"{platform.system()} {platform.release()}",
    }


def kit_version() -> str:
    """The version of the kit."""
    return version(_KIT)


def kit_revision() -> str:
    """The git revision of the kit, with "+" if files were modified; empty without git."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return ""
    try:
        revision = _git(here, "rev-parse", "--short=12", "HEAD")
        return revision + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    git = shutil.which("git") or "git"
    output = subprocess.run([git, "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=5)
    return output.stdout.strip()


def library_versions(more: Iterable[str] = ()) -> dict[str, str]:
    """The versions of the libraries of servers and load process, and of `more`."""
    return {name: version(name) for name in dict.fromkeys([*_LIBRARIES, *sorted({*more} - {_KIT})])}


def libraries_of(pattern: Pattern) -> set[str]:
    """The installed packages that a contender's module imports: its queue library is what is measured."""
    module = sys.modules.get(pattern.module)
    owners = packages_distributions()
    tops = set()
    for value in vars(module).values() if module else ():
        name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        tops.add(str(name).partition(".")[0])
    return {owner for top in tops for owner in owners.get(top, ())}


def redis_version(url: str) -> str:
    """The name and version of the server; Valkey reports its own in a separate field."""
    try:
        with redis.Redis.from_url(url, decode_responses=True, socket_timeout=2, socket_connect_timeout=2) as client:
            about = client.info("server")
    except RedisError as error:
        return f"unknown ({type(error).__name__})"
    if "valkey_version" in about:
        return f"Valkey {about['valkey_version']}"
    return f"Redis {about.get('redis_version', '(unknown version)')}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
