"""Build the optional extension in C when a wheel is built or the checkout is installed.

A hook of hatchling, named in pyproject.toml. It never fails and says nothing: where there is no
compiler, or the extension is not for this Python or platform, the wheel is pure and the package
runs in Python alone. An editable install gets the extension in place, next to its source.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Optional

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCES = ("telemetry_core/_speed.c", "telemetry_core/_decode.c")
_TARGET = "telemetry_core/_speed.abi3.so"
"""One file for every CPython from 3.10 on."""

_FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")
_SECONDS = 300


class SpeedHook(BuildHookInterface[Any]):
    """Puts the compiled extension into a wheel, or next to its sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel with the extension is no longer pure."""
        sources = [Path(self.root, name) for name in _SOURCES]
        if version == "editable":
            compiled(sources, Path(self.root, _TARGET))
            return
        self._directory = tempfile.mkdtemp(prefix="build-")
        built = Path(self._directory, Path(_TARGET).name)
        if compiled(sources, built):
            build_data["force_include"][str(built)] = _TARGET
            build_data["pure_python"] = False
            build_data["tag"] = f"cp310-abi3-{_platform()}"

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Delete what was compiled for the wheel."""
        shutil.rmtree(getattr(self, "_directory", ""), ignore_errors=True)


def compiled(sources: list[Path], target: Path) -> bool:
    """Compile the extension; return whether it is there, and whole."""
    command = _command(sources)
    target.unlink(missing_ok=True)
    if command is None:
        return False
    # Renamed into place: a process that has the old file mapped keeps it.
    new = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        command += ["-o", str(new)]
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
        new.replace(target)
    except (OSError, subprocess.SubprocessError):
        new.unlink(missing_ok=True)
        return False
    return True


def _command(sources: list[Path]) -> Optional[list[str]]:
    """Return what compiles the sources, None where the extension is not for this Python."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    is_ours = (
        sys.platform == "linux"
        and sys.implementation.name == "cpython"
        and sys.version_info >= (3, 10)
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and os.environ.get("TELEMETRY_PURE", "") in ("", "0")
    )
    if not is_ours or not compiler or shutil.which(compiler[0]) is None:
        return None
    headers = sysconfig.get_path("include")
    return [
        *compiler,
        *_FLAGS,
        *shlex.split(os.environ.get("CFLAGS", "")),
        f"-I{headers}",
        *map(str, sources),
    ]


def _platform() -> str:
    """Return this platform as a wheel's name has it, such as linux_x86_64."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
