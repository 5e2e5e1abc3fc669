"""Traces: only if the environment asks for them and OpenTelemetry is installed."""

import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from patterns.observability.tracer import Tracer
from patterns.observability.tracing import NO_CARRIER, configured_exporter, tracing

_AT = "http://127.0.0.1:4318"


@pytest.fixture(autouse=True)
def decided_anew() -> Iterator[None]:
    """Each test sets its own environment."""
    tracing.cache_clear()
    yield
    tracing.cache_clear()


@pytest.mark.parametrize(
    ("env", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "mine"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": _AT}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": _AT}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": _AT}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": _AT}, None),
    ],
)
def test_the_standard_variables_turn_traces_on(env: Mapping[str, str], exporter: str | None) -> None:
    assert configured_exporter(env) == exporter


def test_by_default_nothing_is_traced() -> None:
    nothing = Tracer()

    with nothing.submit("polling", []), nothing.run("a1", NO_CARRIER), nothing.deliver("a1", NO_CARRIER) as headers:
        assert nothing.carrier() == NO_CARRIER
        assert headers == {}


def test_without_the_packages_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.delitem(sys.modules, "patterns.observability.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with caplog.at_level(logging.WARNING):
        found = tracing()

    assert type(found) is Tracer
    assert "opentelemetry-sdk" in caplog.text
    assert tracing() is found  # and is warned once


_SERVE_NOTHING = """
import sys
from patterns.webhook import create_app
create_app()
assert "opentelemetry.sdk" not in sys.modules
"""

_NOBODY_COLLECTS = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))  # accepts connections, and never answers
import os
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "600"
from patterns.observability.tracing import tracing
with tracing().submit("polling", []):
    pass
began = time.monotonic()
tracing().flush()
assert time.monotonic() - began < 60
"""


@pytest.mark.parametrize("program", [_SERVE_NOTHING, _NOBODY_COLLECTS], ids=["unasked", "collector hangs"])
def test_in_another_process(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry is not imported unless asked for, and a silent collector does not delay the exit."""
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False)

    assert ended.returncode == 0, ended.stderr
