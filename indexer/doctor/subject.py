"""The subject: what the doctor examines, a configuration and where it came from.

Made by `telemetry doctor`, read by the checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from indexer.system.base import Base


class Subject(NamedTuple):
    """One base as one environment describes it."""

    base: Base
    environ: Mapping[str, str]
    is_base_given: bool
    """Whether the base was named by `--base`, rather than found by the environment."""
