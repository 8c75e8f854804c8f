"""Find out whether a Windows path is on a local disk or on another machine's share.

Called by `filesystem`, on Windows, which has no list of mounts to read.
"""

from __future__ import annotations

import sys

NETWORK = "network"
"""The kind of every volume that another machine shares, by drive letter or by its own name."""
UNKNOWN = "unknown"

_DEVICE_PREFIXES = ("\\\\?\\", "\\\\.\\")
_NETWORK_PREFIX = "\\\\?\\unc\\"


def is_share(drive: str) -> bool:
    """Whether the drive of a Windows path is a share, named by its server, rather than a letter."""
    if drive.lower().startswith(_NETWORK_PREFIX):
        return True
    return drive.startswith("\\\\") and not drive.startswith(_DEVICE_PREFIXES)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _REMOTE = 4
    _NAME_LENGTH = 64

    def volume_kind(drive: str) -> str:
        """Return the file system of a drive, such as `NTFS`, or NETWORK; UNKNOWN if none tells."""
        if is_share(drive):
            return NETWORK
        kernel = ctypes.WinDLL("kernel32")
        root = wintypes.LPCWSTR(drive + "\\")
        if kernel.GetDriveTypeW(root) == _REMOTE:
            return NETWORK
        name = ctypes.create_unicode_buffer(_NAME_LENGTH)
        size = wintypes.DWORD(_NAME_LENGTH)
        if not kernel.GetVolumeInformationW(root, None, 0, None, None, None, name, size):
            return UNKNOWN
        return name.value or UNKNOWN

else:

    def volume_kind(drive: str) -> str:  # noqa: ARG001  # mounts say it here
        """Return UNKNOWN: there are no drives."""
        return UNKNOWN
