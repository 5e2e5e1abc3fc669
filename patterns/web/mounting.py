"""ASGI's `root_path`: the path under which an app is mounted, or which a proxy strips."""

from fastapi import Request
from starlette.types import Scope


def root_path(request: Request) -> str:
    """The prefix of every link to this app. Empty if the app is not mounted."""
    path: str = request.scope.get("root_path", "")
    return path.rstrip("/")


def route_path(scope: Scope) -> str:
    """The path of a request without the prefix, as in the app's routes."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))
