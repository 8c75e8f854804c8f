"""What the documentation says of the run on Windows is what the tool that runs it knows."""

from __future__ import annotations

from pathlib import Path

from tools.windows import page
from tools.windows.suite import ELSEWHERE


def test_what_is_left_out_there_is_told() -> None:
    """With the reason; a change needs `tools/windows --write-docs`."""
    assert page.left_out() in page.PAGE.read_text(encoding="utf-8")


def test_what_is_left_out_exists() -> None:
    """A file that was renamed would be tried, or its line would be in vain."""
    root = Path(page.ROOT)
    assert [name for name in ELSEWHERE if not (root / name).exists()] == []
