"""Ask Windows by its programming interface what other systems have a call or a file for.

Called by `process` and `storage`, on Windows only, which import it when they need it: loading it
costs an agent a few milliseconds.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes
    from functools import lru_cache
    from typing import Optional

    _QUERY_LIMITED_INFORMATION = 0x1000
    _SYNCHRONIZE = 0x0010_0000
    _WAIT_TIMEOUT = 0x102
    _ERROR_INVALID_PARAMETER = 87

    _PRIVATE = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"
    """Full access for the system, administrators and the owner, inherited by all that is made
    inside; nothing comes from above. It is what Python 3.13 makes of mode 0700."""

    class ProcessNotVisible(OSError):
        """A process exists, and this user may not look at it."""

    class _SecurityAttributes(ctypes.Structure):
        _fields_ = (
            ("length", wintypes.DWORD),
            ("descriptor", wintypes.LPVOID),
            ("inherit", wintypes.BOOL),
        )

    def process_created(pid: int) -> Optional[int]:
        """Return when a living process began, in 100 ns since 1601; None if it has ended.

        Raises ProcessNotVisible for one that this user may not look at, or OSError.
        """
        kernel = _kernel()
        handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION | _SYNCHRONIZE, False, pid)
        if not handle:
            code = ctypes.get_last_error()
            if code == _ERROR_INVALID_PARAMETER:
                return None
            raise ProcessNotVisible(code, ctypes.FormatError(code))
        try:
            # One that has ended can still be opened while anybody holds a handle on it.
            if kernel.WaitForSingleObject(handle, 0) != _WAIT_TIMEOUT:
                return None
            return _creation_time(handle)
        finally:
            kernel.CloseHandle(handle)

    def _creation_time(handle: int) -> int:
        created, exited, in_kernel, in_user = (wintypes.FILETIME() for _ in range(4))
        if not _kernel().GetProcessTimes(
            handle,
            ctypes.byref(created),
            ctypes.byref(exited),
            ctypes.byref(in_kernel),
            ctypes.byref(in_user),
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        return int(created.dwHighDateTime) << 32 | int(created.dwLowDateTime)

    def make_private_directory(path: str) -> None:
        """Make one directory that its owner, administrators and the system alone can enter.

        Raises OSError, as `os.mkdir` does.
        """
        descriptor = wintypes.LPVOID()
        if not _security().ConvertStringSecurityDescriptorToSecurityDescriptorW(
            _PRIVATE, 1, ctypes.byref(descriptor), None
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            attributes = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor, False)
            if not _kernel().CreateDirectoryW(path, ctypes.byref(attributes)):
                code = ctypes.get_last_error()
                raise OSError(0, ctypes.FormatError(code), path, code)
        finally:
            _kernel().LocalFree(descriptor)

    @lru_cache(maxsize=1)
    def _kernel() -> ctypes.WinDLL:
        """Load kernel32 of our own: the types set here would else be every user's of ctypes."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
        kernel.OpenProcess.restype = wintypes.HANDLE
        kernel.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)
        kernel.WaitForSingleObject.restype = wintypes.DWORD
        kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *[wintypes.LPVOID] * 4)
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        kernel.CreateDirectoryW.argtypes = (wintypes.LPCWSTR, wintypes.LPVOID)
        kernel.LocalFree.argtypes = (wintypes.LPVOID,)
        kernel.LocalFree.restype = wintypes.LPVOID
        return kernel

    @lru_cache(maxsize=1)
    def _security() -> ctypes.WinDLL:
        security = ctypes.WinDLL("advapi32", use_last_error=True)
        security.ConvertStringSecurityDescriptorToSecurityDescriptorW.argtypes = (
            wintypes.LPCWSTR,
            wintypes.DWORD,
            wintypes.LPVOID,
            wintypes.LPVOID,
        )
        return security
