"""Say how much of the log is committed at once. Status looks whether the disk has room for it."""

from __future__ import annotations

MAX_BATCH_BYTES = 8 * 1024 * 1024
