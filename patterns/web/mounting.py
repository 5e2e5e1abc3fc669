"""The path under which an app is mounted, or which a proxy in front strips: ASGI's `root_path`."""

from fastapi import Request
from starlette.types import Scope


def root_path(request: Request) -> str:
    """What the path of every link to this app begins with. Empty for an app that is served by itself."""
    path: str = request.scope.get("root_path", "")
    return path.rstrip("/")


def route_path(scope: Scope) -> str:
    """The path of a request as the routes of this app know it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))
