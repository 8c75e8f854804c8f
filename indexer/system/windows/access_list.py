"""Read a Windows directory's access list: who except its owner may read or write there.

Called by the doctor. Reading the list takes Windows; what it says is read anywhere.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

_ENTRY = re.compile(r"\((?P<kind>[A-Z]+);[^;]*;(?P<rights>[^;]*);[^;]*;[^;]*;(?P<whom>[^;)]*)")
_GROUPS = {
    "WD": "Everyone",
    "AN": "Anonymous",
    "AU": "Authenticated Users",
    "BU": "Users",
    "BG": "Guests",
    "IU": "Interactive Users",
    "DU": "Domain Users",
}
_WRITING_WORDS = ("GA", "GW", "FA", "FW", "WD", "WO")
_WRITING_BITS = 0x0000_0002 | 0x0000_0004 | 0x0001_0000 | 0x0004_0000 | 0x4000_0000 | 0x1000_0000
"""Add a file, add a directory, delete, change the access list; write, all."""


class Grant(NamedTuple):
    """What a group of users may do."""

    group: str
    """By its English name."""
    may_write: bool


def grants_to_groups(descriptor: str) -> list[Grant]:
    """Return what a security descriptor, in Windows' string form, allows groups of users to do.

    Single users, administrators and the system are not among them.
    """
    return [
        Grant(_GROUPS[entry["whom"]], _may_write(entry["rights"]))
        for entry in _ENTRY.finditer(descriptor)
        if entry["kind"] == "A" and entry["whom"] in _GROUPS
    ]


def _may_write(rights: str) -> bool:
    try:
        return bool(int(rights, 16) & _WRITING_BITS)
    except ValueError:
        # Spelled in pairs of letters, each a right or a set of them.
        pairs = (rights[index : index + 2] for index in range(0, len(rights), 2))
        return any(pair in _WRITING_WORDS for pair in pairs)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _FILE_OBJECT = 1
    _ACCESS_LIST = 4
    _REVISION = 1

    def access_list(path: Path) -> str:
        """Return who may do what with a file or directory, in Windows' string form.

        Raises OSError.
        """
        security = ctypes.WinDLL("advapi32", use_last_error=True)
        kernel = ctypes.WinDLL("kernel32")
        kernel.LocalFree.argtypes = (wintypes.LPVOID,)
        descriptor, text = wintypes.LPVOID(), wintypes.LPWSTR()
        code = security.GetNamedSecurityInfoW(
            wintypes.LPCWSTR(str(path)),
            _FILE_OBJECT,
            wintypes.DWORD(_ACCESS_LIST),
            None,
            None,
            None,
            None,
            ctypes.byref(descriptor),
        )
        if code:
            raise OSError(0, ctypes.FormatError(code), str(path), code)
        try:
            if not security.ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor,
                wintypes.DWORD(_REVISION),
                wintypes.DWORD(_ACCESS_LIST),
                ctypes.byref(text),
                None,
            ):
                raise ctypes.WinError(ctypes.get_last_error())
            return str(text.value)
        finally:
            kernel.LocalFree(text)
            kernel.LocalFree(descriptor)

else:

    def access_list(path: Path) -> str:  # noqa: ARG001  # Windows' alone
        """Return nothing: modes say here who may do what."""
        return ""
