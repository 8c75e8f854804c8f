"""The whole file: a small file written so that readers see the old bytes or the new.

Called by whoever leaves a note, a list or a generated file beside the data. Never for the log,
and never for the view.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_whole_file(path: Path, data: bytes) -> None:
    """Put `data` at `path`, mode 0600, in one step. Raises OSError; then the old file stands."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
