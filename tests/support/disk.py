"""A disk with as little room as a test says."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest


def leave_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Have every file system say that so many bytes are left."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    room = SimpleNamespace(f_bavail=free, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda _: room, raising=False)
