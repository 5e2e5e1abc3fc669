"""Schemathesis generates requests from each server's OpenAPI document, and compares the answers with it."""

import re
import subprocess
import sys
import tempfile

import pytest

from tests.contract.conftest import Fleets
from tests.support.scenarios import ScenarioResult
from tests.support.serving import Served

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)


Verdict = subprocess.CompletedProcess[str]


def run_scenario(fleet: Fleets) -> dict[str, Verdict]:
    """What Schemathesis reports about each pattern. One run after the other: each keeps a core busy."""
    return {name: run(served) for name, served in fleet("quick").items()}


def run(served: Served) -> Verdict:
    """Run Schemathesis against a pattern."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json", "--no-color"),
        *("--max-examples", "10", "--generation-deterministic", "--phases", "examples,coverage,fuzzing"),
        *("--checks", ",".join(_CHECKS), "--request-timeout", "20"),
    ]
    with tempfile.TemporaryDirectory() as folder:  # it leaves files where it runs
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.thorough
def test_no_generated_request_gets_an_undocumented_answer(scenario_result: ScenarioResult, name: str) -> None:
    verdict: Verdict = scenario_result(__name__)[name]

    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    generated = re.search(r"(\d+) generated", verdict.stdout)
    assert generated, verdict.stdout
    assert int(generated[1]) > 50
