"""A headless browser, controlled over its DevTools protocol: no driver has to match its version."""

import json
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from websockets.sync.client import ClientConnection, connect

from patterns.serving.waiting import until
from tests.support.waiting import eventually

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 60.0


class NoBrowser(AssertionError):
    """No browser is installed. In CI that fails the test: a page that was never looked at may not work."""


class Page:
    """One page: what it shows, what it fetched, and what went wrong in it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._seen: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def look(self, *, width: int, scheme: Literal["light", "dark"], height: int = 900) -> None:
        """Emulate a window, or a phone, of this width."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._ask("Emulation.setDeviceMetricsOverride", **screen)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, file: Path) -> None:
        """Open a file, and wait until its plots are drawn."""
        self._ask("Page.navigate", url=file.as_uri())
        self.wait_for("document.documentElement?.dataset.plots === 'drawn'")

    def wait_for(self, expression: str) -> None:
        """Wait until it is true."""
        is_true = until(lambda: self.value(expression), _PATIENCE)
        assert is_true, f"not within {_PATIENCE:g} s: {expression}; {self.errors()}"

    def value(self, expression: str) -> Any:
        """What the expression is, as plain data."""
        found = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def requests(self) -> list[str]:
        """Every address that was requested, including the file itself."""
        return [e["params"]["request"]["url"] for e in self._seen if e.get("method") == "Network.requestWillBeSent"]

    def errors(self) -> list[dict[str, Any]]:
        """What was thrown, and the warnings and errors of the console."""
        thrown = [e for e in self._seen if e.get("method") == "Runtime.exceptionThrown"]
        printed = [e for e in self._seen if e.get("method") == "Runtime.consoleAPICalled"]
        logged = [e for e in self._seen if e.get("method") == "Log.entryAdded"]
        return [
            *thrown,
            *(e for e in printed if e["params"]["type"] in {"error", "warning", "assert"}),
            *(e for e in logged if e["params"]["entry"]["level"] in {"error", "warning"}),
        ]

    def screenshot(self, *, whole: bool = True) -> bytes:
        """The page as PNG."""
        return b64decode(self._ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        """The page on paper."""
        return b64decode(self._ask("Page.printToPDF")["data"])

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_PATIENCE))
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._seen.append(answer)


def browser_command() -> str | None:
    """The path of the browser on this machine, if there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browsing() -> Iterator[Page]:
    """A page of a browser that ends with the block."""
    name = browser_command()
    if name is None:
        raise NoBrowser("There is no browser to look at the report with. Install one: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="kit-browser-", ignore_cleanup_errors=True) as profile:
        command = [
            *(name, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-allow-origins=*"),
            # Its sandbox needs rights that a container does not have; it opens only our own file.
            *("--no-sandbox", "about:blank"),
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                port = _port(Path(profile) / "DevToolsActivePort", process)
                with connect(_address(port), max_size=None, proxy=None) as socket:
                    yield Page(socket)
            finally:
                process.terminate()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()


def _port(file: Path, process: "subprocess.Popen[bytes]") -> int:
    def lines() -> list[str]:
        assert process.poll() is None, f"the browser ended early, with {process.returncode}"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    return int(eventually(lines, lambda lines: len(lines) == 2, _PATIENCE)[0])


def _address(port: int) -> str:
    import httpx

    with httpx.Client(trust_env=False) as client:
        pages = client.get(f"http://127.0.0.1:{port}/json/list").json()
    return str(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))
