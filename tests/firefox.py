"""Firefox without a window, driven over Marionette, the protocol that is built into it.

Debian's Firefox is not one that Playwright drives, and Debian has no geckodriver. Marionette takes WebDriver's commands
as JSON over a socket, each message with its length before it.
"""

import json
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
SECONDS = 30.0  # that anything may take on a busy machine

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # as WebDriver calls one in JSON
_PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("media.cubeb.force_mock_context", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.startup.homepage", "about:blank");
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("extensions.autoDisableScopes", 15);
"""


class Firefox:
    """A page in Firefox."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self._number = 0
        self._receive()  # what it says of itself
        self._send("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})
        self._send("WebDriver:SetTimeouts", {"script": int(1000 * SECONDS), "pageLoad": int(2000 * SECONDS)})

    def go(self, url: str) -> None:
        """Open an address."""
        self._send("WebDriver:Navigate", {"url": url})

    def resize(self, width: int, height: int) -> None:
        """Give the window this size, in pixels."""
        self._send("WebDriver:SetWindowRect", {"width": width, "height": height})

    def evaluate(self, program: str, *arguments: Any) -> Any:
        """What the body of an asynchronous function returns; its arguments are `arguments`."""
        wrapped = (
            "const done = arguments[arguments.length - 1];"
            f"(async () => {{ {program} }})().then((value) => done({{ value }}), (e) => done({{ error: `${{e}}` }}))"
        )
        answer = self._send("WebDriver:ExecuteAsyncScript", {"script": wrapped, "args": arguments, "sandbox": None})
        found = answer["value"]
        assert "error" not in found, found["error"]
        return found.get("value")

    def wait(self, expression: str) -> Any:
        """What an expression is, once it is true."""
        deadline = time.monotonic() + SECONDS
        while not (found := self.evaluate(f"return {expression}")):
            assert time.monotonic() < deadline, f"{expression} does not become true"
            time.sleep(0.05)
        return found

    def click(self, selector: str) -> None:
        """Click an element as a user does: it is scrolled to, and must not be covered."""
        found = self._send("WebDriver:FindElement", {"using": "css selector", "value": selector})
        self._send("WebDriver:ElementClick", {"id": found["value"][_ELEMENT]})

    def press(self, x: float, y: float, *, to: tuple[float, float] | None = None) -> None:
        """Click at a place in the window, or drag from there to another."""
        moves: list[dict[str, Any]] = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0},
            {"type": "pointerDown", "button": 0},
        ]
        if to:
            moves.append({"type": "pointerMove", "x": round(to[0]), "y": round(to[1]), "duration": 100})
        actions = [{"type": "pointer", "id": "mouse", "actions": [*moves, {"type": "pointerUp", "button": 0}]}]
        self._send("WebDriver:PerformActions", {"actions": actions})

    def printed(self) -> bytes:
        """What goes to paper, as PDF."""
        return b64decode(self._send("WebDriver:Print", {})["value"])

    def screenshot(self) -> bytes:
        """The whole page, as PNG."""
        return b64decode(self._send("WebDriver:TakeScreenshot", {"full": True})["value"])

    def _send(self, command: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._connection.sendall(b"%d:%b" % (len(message), message))
        _, _, error, result = self._receive()
        assert error is None, f"{command}: {error['message']}"
        return result

    def _receive(self) -> Any:
        length = b""
        while (byte := self._file.read(1)) != b":":
            assert byte, "Firefox has gone"
            length += byte
        return json.loads(self._file.read(int(length)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._connection.close()


@contextmanager
def firefox() -> Iterator[Firefox]:
    """A Firefox with a profile of its own, which goes with it."""
    assert FIREFOX is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        (profile / "user.js").write_text(_PREFERENCES, encoding="utf-8")
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", folder, "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                port = profile / "MarionetteActivePort"
                deadline = time.monotonic() + 2 * SECONDS
                while not (port.exists() and port.read_text()):
                    assert process.poll() is None, "Firefox does not start"
                    assert time.monotonic() < deadline, "Firefox does not listen"
                    time.sleep(0.1)
                connection = socket.create_connection(("127.0.0.1", int(port.read_text())), timeout=2 * SECONDS)
                with Firefox(connection) as browser:
                    yield browser
            finally:
                process.terminate()
                process.wait(timeout=SECONDS)
