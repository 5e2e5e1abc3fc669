"""The client is for programs that run no server."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("server", ["fastapi", "uvicorn", "patterns.in_memory_queue", "patterns.web"])
def test_importing_the_client_imports_no_server(server: str) -> None:
    program = f"import sys, patterns.polling; sys.exit({server!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
