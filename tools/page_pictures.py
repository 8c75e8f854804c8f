"""Makes the README's pictures of the page: docs/pictures/*.png, from a base that is made up.

usage: page_pictures.py [FOLDER]

It needs the extras `ui` and `dev`, and Chromium on the path.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from page_story import record
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
_SIZE = {"width": 1120, "height": 640}
_PICTURES = (
    ("overview", "/", "light", _SIZE),
    ("run", "/runs?status=failed&since=24h", "light", _SIZE),
    ("run-dark", "/runs?agent=importer&status=running", "dark", _SIZE),
    ("usage", "/usage", "light", _SIZE),
)
"""Name, address, color scheme, size; of a list of runs the first run is shown."""


def main(folder: Path) -> None:
    """Make all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "base"
        record(base)
        command = [sys.executable, "-m", "indexer", "--base", str(base)]
        subprocess.run([*command, "index"], check=True, cwd=ROOT)
        server = subprocess.Popen(
            [*command, "ui", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            _take(folder, server.stdout.readline().strip())
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


def _take(folder: Path, link: str) -> None:
    url = link.partition("/?")[0]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        signed_in = None
        for name, address, scheme, size in _PICTURES:
            context = browser.new_context(
                viewport=size, color_scheme=scheme, storage_state=signed_in
            )
            page = context.new_page()
            if signed_in is None:
                page.goto(link)
                signed_in = context.storage_state()
            _show(page, url, address)
            page.screenshot(path=folder / f"{name}.png")
            context.close()
        browser.close()


def _show(page: Any, url: str, address: str) -> None:
    page.goto(url + address)
    page.locator(".live[data-state=live]").wait_for()
    if address.startswith("/runs"):
        page.locator("#runs-table tbody th a").first.click()
        page.locator(".wf-body.virtual .wf-row.chosen").wait_for()
        page.locator(".live[data-state=live]").wait_for()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")
