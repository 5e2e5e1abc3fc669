"""Schemathesis makes up requests from each server's own OpenAPI document, and compares the answers with it."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from patterns import PATTERNS
from tests.serving import Served

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


@pytest.fixture(scope="module")
def verdicts(
    fleet: Callable[[str], Mapping[str, Served]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, subprocess.CompletedProcess[str]]:
    """What Schemathesis says of each pattern. Run two at a time, because most of it is one busy process."""

    def run(served: Served) -> subprocess.CompletedProcess[str]:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json", "--no-color"),
            *("--max-examples", "10", "--generation-deterministic", "--phases", "examples,coverage,fuzzing"),
            *("--checks", ",".join(_CHECKS), "--request-timeout", "20"),
        ]
        folder: Path = tmp_path_factory.mktemp("fuzz")  # it leaves files where it runs
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)

    with ThreadPoolExecutor(2) as threads:
        return dict(zip(PATTERNS, threads.map(run, [fleet("quick")[name] for name in PATTERNS]), strict=True))


def test_no_made_up_request_gets_an_undocumented_answer(
    verdicts: Mapping[str, subprocess.CompletedProcess[str]], name: str
) -> None:
    verdict = verdicts[name]

    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    generated = re.search(r"(\d+) generated", verdict.stdout)
    assert generated, verdict.stdout
    assert int(generated[1]) > 50
