"""What the figures were measured on, without which they say little.

Called by the command, for the record. It reads `/proc` and never changes anything.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any


def describe(directory: Path) -> dict[str, Any]:
    """Return processor, cores, memory, kernel, file system and versions."""
    return {
        "processor": _of_proc("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_mb": int((_of_proc("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        "system": f"{platform.system()} {platform.release()}",
        "filesystem": _filesystem(directory),
        "python": platform.python_version(),
        "orjson": version("orjson"),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _of_proc(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _filesystem(directory: Path) -> str:
    command = ["stat", "--file-system", "--format=%T", str(directory)]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
