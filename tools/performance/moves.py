"""Scrolling, zooming and folding ten thousand spans in a browser.

Called by the section on the page.
"""

from __future__ import annotations

from collections.abc import Iterator

from tools.performance.browser import Chromium
from tools.performance.figure import Figure, Goal, percentile

_SCROLL = """async () => {
  const body = document.querySelector('#wf-body'), frames = [];
  const begun = performance.now();
  let last = begun;
  for (;;) {
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
    const share = (performance.now() - begun) / 4000;
    if (share >= 1) return frames.slice(2);
    body.scrollTop = share * body.scrollHeight;
  }
}"""


_KEYS = """async (keys) => {
  const body = document.querySelector('#wf-body'), taken = [];
  for (let turn = 0; turn < 40; turn++) {
    await new Promise(requestAnimationFrame);
    const begun = performance.now();
    body.dispatchEvent(new KeyboardEvent('keydown', { key: keys[turn % 2], bubbles: true }));
    body.getBoundingClientRect();
    taken.push(performance.now() - begun);
  }
  return taken;
}"""


def moves(browser: Chromium, url: str, ready: str) -> Iterator[Figure]:
    """Scroll, zoom and fold ten thousand spans; a fold and a zoom end with the layout."""
    with browser.window() as window:
        window.load(url, ready)
        window.page.locator("#wf-body").focus()
        window.page.keyboard.press("Home")
        window.page.keyboard.press("*")
        frames = window.page.evaluate(_SCROLL)
        zooms = window.page.evaluate(_KEYS, ["+", "-"])
        window.page.keyboard.press("Home")
        folds = window.page.evaluate(_KEYS, ["ArrowLeft", "ArrowRight"])
    for name, found, limit in (
        ("scrolling 10,000 spans, frame p95", frames, 17),
        ("zooming them, p95", zooms, 16),
        ("folding and unfolding all, p95", folds, 16),
    ):
        note = f"of {len(found)}"
        yield Figure(name, "ms", percentile(found, 95), goal=Goal(limit, of="ours"), note=note)
