"""A page in headless Chromium: what it takes to load, what it holds, when something appears.

Called by the sections on the page and on dashboards. It needs the extra `dev` and a Chromium on the
path. Every load is cold: a window of its own, which has nothing but the cookie.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, CDPSession, Page

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
_SIZE: Any = {"width": 1280, "height": 800}
_PATIENCE_MS = 60_000
_SETTLING_MS = 500
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_NODES = "document.querySelectorAll('*').length"
_WATCH = """mark => { window.appeared = new Promise(done => {
  setTimeout(() => done(null), 60000);
  const look = () => {
    if (!document.body.textContent.includes(mark)) return false;
    done(Date.now());
    return true;
  };
  if (!look()) new MutationObserver((_, self) => { if (look()) self.disconnect(); })
    .observe(document.body, { childList: true, characterData: true, subtree: true });
}); }"""


class Load(NamedTuple):
    """What one load of a page took, and what there was half a second after it was ready."""

    first_paint_ms: float
    requests: int
    kilobytes: float
    """As transferred."""
    nodes: int
    heap_mb: float
    """Of JavaScript, after a collection."""
    script_ms: float


class Window:
    """One tab in a context of its own."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.requests = 0
        self._bytes = 0.0
        self._session: CDPSession = context.new_cdp_session(self.page)
        self._session.send("Network.enable")
        self._session.send("Performance.enable")
        self._session.on("Network.requestWillBeSent", self._asked)
        # Data of a stream counts as it comes.
        self._session.on("Network.loadingFinished", self._loaded)

    def _asked(self, event: dict[str, Any]) -> None:
        self.requests += not str(event["request"]["url"]).startswith("data:")

    def _loaded(self, event: dict[str, Any]) -> None:
        self._bytes += event["encodedDataLength"]

    def load(self, url: str, ready: str) -> Load:
        """Open a page and measure it; it is ready when an element matches a selector."""
        self.page.goto(url)
        self.page.locator(ready).first.wait_for()
        self.page.wait_for_timeout(_SETTLING_MS)
        first_paint, nodes = self.page.evaluate(_FIRST_PAINT), self.page.evaluate(_NODES)
        script = self.metric("ScriptDuration") * 1e3
        self._session.send("HeapProfiler.collectGarbage")
        heap = self.metric("JSHeapUsedSize") / 1e6
        return Load(first_paint, self.requests, self._bytes / 1e3, nodes, heap, script)

    def metric(self, name: str) -> float:
        """Return one of Chromium's own counters, times in seconds."""
        found = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == name))

    def appears(self, mark: str, record: Callable[[], float]) -> Optional[float]:
        """Return how many ms after `record` ended a text was on the page; None for over a minute.

        `record` returns when it ended, in seconds since the epoch.
        """
        self.page.evaluate(_WATCH, mark)
        recorded = record()
        appeared = self.page.evaluate("window.appeared")
        return None if appeared is None else float(appeared) - recorded * 1e3


class Chromium:
    """The browser, signed in or not."""

    def __init__(self, driver: Any, path: str) -> None:
        self._browser = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        self._state: Optional[Any] = None

    def sign_in(self, link: str) -> None:
        """Open an address that leaves a cookie, which all later windows have."""
        context = self._browser.new_context()
        context.new_page().goto(link)
        self._state = context.storage_state()
        context.close()

    @contextmanager
    def window(self) -> Iterator[Window]:
        """A window that has seen nothing yet."""
        context = self._browser.new_context(viewport=_SIZE, storage_state=self._state)
        try:
            yield Window(context)
        finally:
            context.close()

    def load(self, url: str, ready: str) -> Load:
        """Open a page in a window of its own and measure it."""
        with self.window() as window:
            return window.load(url, ready)

    def close(self) -> None:
        """End the browser."""
        self._browser.close()


@contextmanager
def chromium() -> Iterator[Optional[Chromium]]:
    """The browser for the length of a block; None where it or playwright is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        yield None
        return
    with sync_playwright() as driver:
        browser = Chromium(driver, path)
        try:
            yield browser
        finally:
            browser.close()
