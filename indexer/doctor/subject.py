"""Hold what doctor examines: a base directory, and the environment that it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from indexer.system.base import Base


class Subject(NamedTuple):
    """One base directory, as an environment describes it."""

    base: Base
    environ: Mapping[str, str]
    is_base_given: bool
    """Whether `--base` named it, rather than the environment."""
