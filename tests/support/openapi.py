"""Compares every answer that a test sees with the server's own OpenAPI document."""

import re
from functools import cached_property
from typing import Any

import httpx


class OpenAPI:
    """What a server says of itself at /openapi.json."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document, fetched once."""
        document: dict[str, Any] = httpx.get(f"{self._url}/openapi.json", trust_env=False, timeout=20).json()
        return document

    def answers(self, method: str, path: str) -> dict[str, Any] | None:
        """The documented answers of a route by status, or None if no such route is documented."""
        for template, methods in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in methods:
                answers: dict[str, Any] = methods[method.lower()]["responses"]
                return answers
        return None

    def check(self, response: httpx.Response) -> None:
        """Fail when an answer of a documented route is not documented: its status, its content type, its headers."""
        request = response.request
        answers = self.answers(request.method, request.url.path)
        if answers is None:
            return
        seen = f"{request.method} {request.url.path} → {response.status_code}"
        documented = answers.get(str(response.status_code))
        assert documented is not None, f"{seen} is not in openapi.json, which lists {sorted(answers)}"
        content_type = response.headers.get("content-type", "").partition(";")[0]
        types = set(documented.get("content", {})) or {""}
        assert content_type in types, f"{seen} has the content type {content_type!r}, and openapi.json says {types}"
