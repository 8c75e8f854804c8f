"""Where the write-ahead log and events can be relied on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from indexer.system import filesystem
from indexer.system.windows.volume import is_share

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


@pytest.mark.needs("mounts")
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


@pytest.mark.skipif(sys.platform == "win32", reason="volumes are asked for here")
def test_without_a_list_of_mounts_a_local_disk_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(filesystem, "_mounts", lambda: ())
    assert filesystem.filesystem_kind(Path("/x")) == "unknown"
    assert filesystem.journal_mode_for(Path("/x/y")) == "WAL"


@pytest.mark.needs("mounts")
def test_the_kernels_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """For real, where there is one: the root has a kind."""
    monkeypatch.undo()
    filesystem._mounts.cache_clear()
    if Path("/proc/self/mountinfo").exists():
        assert filesystem.filesystem_kind(Path("/")) != "unknown"
    assert filesystem._unescape("a\\040b\\134c") == "a b\\c"


@pytest.mark.parametrize(
    ("drive", "shared"),
    [
        ("C:", False),
        ("\\\\?\\C:", False),
        ("\\\\.\\C:", False),
        ("\\\\server\\share", True),
        ("\\\\?\\UNC\\server\\share", True),
    ],
)
def test_a_share_is_told_from_a_drive(drive: str, shared: bool) -> None:
    """However the path of either is spelled."""
    assert is_share(drive) is shared


@pytest.mark.skipif(sys.platform != "win32", reason="there are no volumes here")
def test_a_share_gets_no_write_ahead_log(tmp_path: Path) -> None:
    """A local volume has a kind and gets one."""
    assert filesystem.filesystem_kind(tmp_path) not in ("unknown", "network")
    assert filesystem.journal_mode_for(tmp_path / "telemetry.sqlite") == "WAL"
    assert filesystem.journal_mode_for(Path("//server/share/db/telemetry.sqlite")) == "DELETE"
