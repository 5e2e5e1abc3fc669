"""Whether a server has the requested route: FastAPI lists its routes in /openapi.json."""

import re

from tests.checkpoints.engine.http.http_client import NoResponse, Response, send_request

#: FastAPI's own responses if no route matches. A learner's 404 has a different detail, or its route is listed.
_DEFAULTS = {404: {"detail": "Not Found"}, 405: {"detail": "Method Not Allowed"}}
#: FastAPI redirects a client if only a trailing slash is missing or superfluous.
_SLASH_REDIRECT = 307


def routes_instead(url: str, method: str, path: str, answer: Response, within: float) -> str:
    """The server's routes, if the requested route is not among them; empty in all other cases."""
    if answer.status != _SLASH_REDIRECT and (answer.status not in _DEFAULTS or answer.json != _DEFAULTS[answer.status]):
        return ""
    try:
        described = send_request(url, "GET", "/openapi.json", within=within).json
    except NoResponse:
        return ""
    paths = described.get("paths") if isinstance(described, dict) else None
    if not isinstance(paths, dict):
        return ""
    routes = sorted((route, verb.upper()) for route, verbs in paths.items() for verb in verbs)
    if any(verb == method and _fits(route, path) for route, verb in routes):
        return ""
    if answer.status != 405 and not any(verb == "POST" for _, verb in routes):
        return ""  # the list is incomplete: it lacks mounted apps and excluded routes
    return ", ".join(f"{verb} {route}" for route, verb in routes)


def _fits(route: str, path: str) -> bool:
    pieces = re.split(r"\{[^}]*\}", route)
    return re.fullmatch("[^/]+".join(map(re.escape, pieces)), path) is not None
