"""The server as a process of its own, and headless Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from indexer.system.base import Base
from indexer.ui.sign_in import load_address
from tests.support.cli import COMMAND
from tests.support.process import environment

REQUIRED = "CI"
"""The variable of a CI run, which has a Chromium."""

# Without these, Chromium asks its maker's servers for this and that.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"wide": (1280, 800), "phone": (390, 844), "narrow": (320, 640), "4k": (3840, 2160)}


def chromium() -> str:
    """The path of Chromium; without one the test is skipped, in CI it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, and there is no chromium on the path")
    if path is None:
        pytest.skip("there is no chromium on the path")
    return path


@contextmanager
def launched() -> Iterator[Any]:
    """A browser, in which each test opens windows of its own."""
    path = chromium()
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


class Server:
    """`telemetry ui`, or `up`, on a base, as a process of its own."""

    def __init__(self, base: Path, port: int = 0, command: tuple[str, ...] = ("ui",)) -> None:
        self._base = base
        self.process = subprocess.Popen(
            [*COMMAND, "--base", str(base), *command, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.process.stdout is not None
        link = self.process.stdout.readline().strip()
        assert link, self.process.communicate()[1]
        self.url = link.partition("/?")[0]

    def link(self) -> str:
        """An address that signs in; each does once."""
        return load_address(Base.at(self._base, {})).link()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """End it as Ctrl-C does, or where that needs a console, at once; return its exit code."""
        if self.process.poll() is None:
            if os.name == "posix":
                self.process.send_signal(signal.SIGINT)
            else:
                self.process.terminate()
        try:
            self.process.communicate(timeout=60)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.communicate()
        return self.process.returncode


@contextmanager
def serving(base: Path, port: int = 0, command: tuple[str, ...] = ("ui",)) -> Iterator[Server]:
    """The page of a base, served for the length of a block."""
    server = Server(base, port, command)
    try:
        yield server
    finally:
        server.stop()


class Watched:
    """A window that is signed in, with all that went wrong in it."""

    def __init__(self, browser: Any, server: Server, size: str = "wide", **options: Any) -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=size == "phone", **options
        )
        self.url = server.url
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.page = self.tab()
        self.page.goto(server.link())

    def tab(self) -> Any:
        """Another tab of the same browser."""
        page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._heard)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog {dialog.message}"))
        return page

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def go(self, path: str) -> Any:
        """Open a page in the first tab."""
        self.page.goto(self.url + path)
        return self.page

    def foreign(self) -> list[str]:
        """Requests that left the origin."""
        return [u for u in self.requests if not u.startswith((self.url + "/", "data:"))]

    def close(self) -> None:
        self.context.close()


@contextmanager
def watched(browser: Any, server: Server, size: str = "wide", **options: Any) -> Iterator[Watched]:
    """A window for the length of a block, in which nothing may go wrong."""
    window = Watched(browser, server, size, **options)
    try:
        yield window
        assert window.problems == []
        assert window.foreign() == []
    finally:
        window.close()
