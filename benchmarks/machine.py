"""Where a run took place: without it no figure means anything."""

import os
import platform
from importlib.metadata import version

import redis
from redis.exceptions import RedisError

_LIBRARIES = ("fastapi", "uvicorn", "celery", "locust")


def machine() -> dict[str, str | int]:
    """The processors, the Python and the kernel."""
    return {
        "cores": os.cpu_count() or 1,
        "processor": _processor(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def library_versions() -> dict[str, str]:
    """The versions of what serves and of what loads."""
    return {name: version(name) for name in _LIBRARIES}


def redis_version(url: str) -> str:
    """Which server it is, and its version: Valkey says that it is one only in a field of its own."""
    try:
        with redis.Redis.from_url(url, decode_responses=True, socket_timeout=2, socket_connect_timeout=2) as client:
            about = client.info("server")
    except RedisError as error:
        return f"unknown ({type(error).__name__})"
    if "valkey_version" in about:
        return f"Valkey {about['valkey_version']}"
    return f"Redis {about.get('redis_version', 'of an unknown version')}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
