"""The bodies of error responses and of `GET /health`."""

from typing import Literal

from pydantic import BaseModel


class Problem(BaseModel):
    """An error as `application/problem+json` (RFC 9457)."""

    title: str
    status: int
    detail: str


class Health(BaseModel):
    """The body of `GET /health` when the server is healthy."""

    status: Literal["ok"] = "ok"
    pattern: str
