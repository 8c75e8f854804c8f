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

EXTENSIONS = ("telemetry_core/_speed",)
"""Each is built of one file `.c`, as one file `.abi3.so` for every CPython from 3.10 on."""

_FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden")
_SECONDS = 300


class SpeedHook(BuildHookInterface[Any]):
    """Puts the compiled extensions into a wheel, or next to their sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; a wheel with all extensions is no longer pure."""
        root = Path(self.root)
        if version == "editable":
            for name in EXTENSIONS:
                compiled(root / f"{name}.c", root / f"{name}.abi3.so")
            return
        self._directory = tempfile.mkdtemp(prefix="build-")
        built = {name: Path(self._directory, Path(name).name) for name in EXTENSIONS}
        if all(compiled(root / f"{name}.c", file) for name, file in built.items()):
            for name, file in built.items():
                build_data["force_include"][str(file)] = f"{name}.abi3.so"
            build_data["pure_python"] = False
            build_data["tag"] = f"cp310-abi3-{_platform()}"

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Delete what was compiled for the wheel."""
        shutil.rmtree(getattr(self, "_directory", ""), ignore_errors=True)


def compiled(source: Path, target: Path) -> bool:
    """Compile one extension; return whether it is there, and whole."""
    command = _command(source)
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


def _command(source: Path) -> Optional[list[str]]:
    """Return what compiles `source`, None where the extension is not for this Python."""
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
        str(source),
    ]


def _platform() -> str:
    """Return this platform as a wheel's name has it, such as linux_x86_64."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
