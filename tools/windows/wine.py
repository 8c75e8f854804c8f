"""Wine: a prefix of our own, and Windows programs run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = ("/usr/lib/wine/wine64", "wine64", "wine")
"""The first is Debian's: its `wine` is a script that also asks for the 32-bit part."""
_READY = "telemetry-ready-2"
_REGISTRY = (
    (r"HKCU\Software\Wine", "Version", "REG_SZ", "win10"),
    # Each `stat` of Python 3.12 and later asks the mount manager for the volume's number, which
    # takes milliseconds in Wine. Where there is no mount manager, Python does without.
    (r"HKLM\System\CurrentControlSet\Services\MountMgr", "Start", "REG_DWORD", "4"),
)
_PREPARE_SECONDS = 300.0


class WineMissing(Exception):
    """There is no Wine on this machine."""


class Wine:
    """One prefix: a Windows installation in a directory."""

    def __init__(self, prefix: Path) -> None:
        """Find Wine. Raises WineMissing."""
        program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
        server = shutil.which("wineserver")
        if program is None or server is None:
            raise WineMissing(
                "Wine is not installed: apt-get install --no-install-recommends wine wine64"
            )
        self._prefix = prefix
        self._program, self._server = program, server

    def version(self) -> str:
        """Return what Wine says of its version."""
        done = subprocess.run(
            [self._program, "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    @contextmanager
    def started(self) -> Iterator[None]:
        """Keep the prefix's server alive meanwhile: without one each program starts its own."""
        self._prefix.mkdir(parents=True, exist_ok=True)
        self._call(self._server, "--persistent")
        try:
            self._prepare()
            yield
        finally:
            # Ends what still runs in this prefix, and nothing else.
            self._call(self._server, "--kill")

    def _prepare(self) -> None:
        # Starts the system's services, which live on.
        self._call(self._program, "wineboot", "--init")
        if not (self._prefix / _READY).exists():
            for key, name, kind, value in _REGISTRY:
                named = ["/v", name, "/t", kind, "/d", value, "/f"]
                self._call(self._program, "reg", "add", key, *named)
            (self._prefix / _READY).touch()
            # Services are as the registry says from the next start on.
            self._call(self._server, "--kill")
            self._call(self._server, "--persistent")
            self._call(self._program, "wineboot")

    def _call(self, *command: str) -> None:
        # Without streams: what lives on would keep a pipe open.
        subprocess.run(
            command,
            env=self.environment(),
            # A server that runs already, or has ended, says so by its exit code.
            check=command[0] != self._server,
            timeout=_PREPARE_SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(
        self, command: Sequence[str], output: int, cwd: Path, **env: str
    ) -> subprocess.Popen[str]:
        """Start a Windows program; what it prints goes to the pipe or file `output`."""
        return subprocess.Popen(
            [self._program, *command],
            env=self.environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def environment(self, more: Mapping[str, str] = {}) -> dict[str, str]:
        """Return the environment for Wine's own programs and for ours in it."""
        return {
            "HOME": os.environ.get("HOME", "/"),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "WINEPREFIX": str(self._prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # Not next to the sources, where Pythons of this machine keep theirs.
            "PYTHONPYCACHEPREFIX": windows_path(self._prefix.parent / "bytecode"),
            # Neither .NET nor a browser engine is there to be installed, and nobody sees menus.
            "WINEDLLOVERRIDES": "mscoree,mshtml=;winemenubuilder.exe=",
            **more,
        }


def windows_path(path: Path) -> str:
    """Return how a program in Wine names a path of this machine."""
    return "Z:" + str(path.resolve()).replace("/", "\\")
