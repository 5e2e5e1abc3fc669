"""What a server says of itself, and of what went wrong."""

from typing import Literal

from pydantic import BaseModel


class Problem(BaseModel):
    """An error as `application/problem+json` (RFC 9457)."""

    title: str
    status: int
    detail: str


class Health(BaseModel):
    """The body of `GET /health` when all is well."""

    status: Literal["ok"] = "ok"
    pattern: str
