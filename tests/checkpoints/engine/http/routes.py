"""Whether a server has the route that was asked for: FastAPI lists the ones it has in /openapi.json."""

import re

from tests.checkpoints.engine.http.http_client import Answer, NoAnswer, send_request

#: What FastAPI itself answers where no route fits. A learner's own 404 has a text of its own, or its route is listed.
_NOBODYS = {404: {"detail": "Not Found"}, 405: {"detail": "Method Not Allowed"}}
#: It sends a client away when only a slash at the end is too much or too little.
_A_SLASH = 307


def routes_instead(url: str, method: str, path: str, answer: Answer, within: float) -> str:
    """The routes that the server has, when the one asked for is not among them; empty in every other case."""
    if answer.status != _A_SLASH and (answer.status not in _NOBODYS or answer.json != _NOBODYS[answer.status]):
        return ""
    try:
        described = send_request(url, "GET", "/openapi.json", within=within).json
    except NoAnswer:
        return ""
    paths = described.get("paths") if isinstance(described, dict) else None
    if not isinstance(paths, dict):
        return ""
    has = sorted((one, how.upper()) for one, methods in paths.items() for how in methods)
    if any(how == method and _fits(one, path) for one, how in has):
        return ""
    if answer.status != 405 and not any(how == "POST" for _, how in has):
        return ""  # no list of all: what is mounted, or kept out of it, is not in it
    return ", ".join(f"{how} {one}" for one, how in has)


def _fits(route: str, path: str) -> bool:
    pieces = re.split(r"\{[^}]*\}", route)
    return re.fullmatch("[^/]+".join(map(re.escape, pieces)), path) is not None
