"""The file system: where the write-ahead log and events can be relied on."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.system import filesystem

_MOUNTS = (
    ("/", "ext4"),
    ("/mnt/share", "nfs4"),
    ("/mnt/share/local disk", "xfs"),
    ("/host", "virtiofs"),
    ("/remote", "fuse.sshfs"),
    ("/sharedish", "tmpfs"),
)


@pytest.fixture(autouse=True)
def _mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_mounts", lambda: _MOUNTS)


@pytest.mark.parametrize(
    ("path", "kind", "mode"),
    [
        ("/home/x/db", "ext4", "WAL"),
        ("/mnt/share/db", "nfs4", "DELETE"),
        ("/mnt/share/local disk/db", "xfs", "WAL"),
        ("/mnt/shared/db", "ext4", "WAL"),
        ("/host", "virtiofs", "DELETE"),
        ("/remote/a/b", "fuse.sshfs", "DELETE"),
        ("/sharedish/db", "tmpfs", "WAL"),
    ],
)
def test_the_mount_nearest_above_decides(path: str, kind: str, mode: str) -> None:
    """By whole names, the longest mount point first; shared kinds get no write-ahead log."""
    assert filesystem.filesystem_kind(Path(path)) == kind
    assert filesystem.journal_mode_for(Path(path) / "telemetry.sqlite") == mode
    assert filesystem.is_shared(Path(path)) == (mode == "DELETE")


def test_without_a_list_of_mounts_a_local_disk_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows."""
    monkeypatch.setattr(filesystem, "_mounts", lambda: ())
    assert filesystem.filesystem_kind(Path("/x")) == "unknown"
    assert filesystem.journal_mode_for(Path("/x/y")) == "WAL"


def test_the_kernels_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """For real, where there is one: the root has a kind."""
    monkeypatch.undo()
    filesystem._mounts.cache_clear()
    if Path("/proc/self/mountinfo").exists():
        assert filesystem.filesystem_kind(Path("/")) != "unknown"
    assert filesystem._unescape("a\\040b\\134c") == "a b\\c"
