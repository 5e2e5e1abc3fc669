"""A running server as a contender."""

from dataclasses import replace

import httpx

from benchmarks.plan.contenders import Contender, UnknownPattern
from benchmarks.plan.null_contender import NULL
from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy


def contender_at(url: str) -> Contender:
    """The contender named by `/health`. Raises `UnknownPattern` if it names none."""
    try:
        health = httpx.get(f"{url}/health", timeout=5, trust_env=False).json()
        name = str(health["pattern"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        raise UnknownPattern(
            f"--url {url}: GET /health does not name a pattern. To start one: kit serve NAME"
        ) from None
    pattern = PATTERNS.get(name) or replace(NULL, name=name, title=name, summary=url, learns_by=LearnsBy.FIXED_POLL)
    return Contender(name, pattern, pattern.learns_by, "pattern" if name in PATTERNS else "contender", url=url)
