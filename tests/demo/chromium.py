"""Headless Chromium, driven over the pipe of its DevTools protocol with the standard library alone."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_PLACE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the two ends of its pipe where the browser expects them, and becomes the browser."""


class Browser:
    """One page, in which every host name but 127.0.0.1 is unresolvable; what it asks for and logs is noted.

    Attributes:
        requests: Addresses of all requests, in their order.
        console: What the page logged, errors and blocked requests among it.
    """

    def __init__(self, profile: Path, width: int = 1280, height: int = 900) -> None:
        to_browser, ours_out = os.pipe()
        ours_in, from_browser = os.pipe()
        # Out of the way of 3 and 4, where they are to be.
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD, 20) for number in (to_browser, from_browser)]
        os.close(to_browser)
        os.close(from_browser)

        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", "-c", _PLACE),
                *map(str, moved),
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "--remote-debugging-pipe",
                "about:blank",
            ],
            pass_fds=moved,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in moved:
            os.close(number)
        self._out, self._in, self._rest, self._last = ours_out, ours_in, b"", 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.console: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(item["targetId"] for item in targets if item["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            answer = self._read(deadline - time.monotonic())
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
        raise TimeoutError(method)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a script."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 240) -> Any:
        """The value of a script once it is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.run(script)
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{script} is still {found!r}; the page says: {self.text()}; {self.console}")

    def type(self, selector: str, text: str) -> None:
        """Puts a text where a user would type it, in place of what is there."""
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.run(f"(e => {{ e.focus(); e.select() }})(document.querySelector({json.dumps(selector)}))")
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def value(self, selector: str) -> str:
        """What a field holds; empty if there is none."""
        return str(self.run(f"(document.querySelector({json.dumps(selector)}) || {{}}).value || ''"))

    def text(self) -> str:
        """What the page shows."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def screenshot(self, place: Path) -> None:
        place.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _read(self, seconds: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0, seconds))[0]:
                return {}
            got = os.read(self._in, 1 << 16)
            assert got, "Chromium has ended"
            self._rest += got
        raw, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif message.get("method") == "Log.entryAdded":
            self.console.append(f"{params['entry']['level']}: {params['entry']['text']}")
        elif message.get("method") == "Runtime.consoleAPICalled":
            said = " ".join(str(item.get("value", item.get("description"))) for item in params["args"])
            self.console.append(f"{params['type']}: {said}")
        elif message.get("method") == "Runtime.exceptionThrown":
            self.console.append(f"exception: {params['exceptionDetails']}")
        return message
