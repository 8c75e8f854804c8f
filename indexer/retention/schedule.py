"""Archive and prune as configured, a little at a time.

Run by the daemon between passes, which never wait for more than one segment. What cannot be done
now is returned in words and tried again later.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Callable, Optional

from indexer.errors import AlreadyRunning, Interrupted
from indexer.retention.archive import archive
from indexer.retention.prune import plan_prune, prune
from indexer.system.base import Base
from telemetry_core.duration import parse_duration

logger = logging.getLogger(__name__)

CHECK_SECONDS = 3600.0
"""How often to check whether a day has become old enough."""


class RetentionSchedule:
    """The archiving and pruning of one daemon."""

    def __init__(self, base: Base, should_stop: Callable[[], bool]) -> None:
        self._base = base
        self._should_stop = should_stop
        self._next = 0.0

    def run_due(self) -> list[str]:
        """Archive and prune what is due, if it is time; return what could not be done.

        Raises TelemetryError or OSError.
        """
        now = time.monotonic()
        if now < self._next:
            return []
        self._next = now + CHECK_SECONDS
        try:
            # In this order: what goes need not be compressed first.
            return self._prune() + self._archive_one()
        except AlreadyRunning as error:
            # A command archives, prunes or makes a backup.
            logger.info("archiving and pruning wait: %s", error)
        except Interrupted:
            logger.info("asked to stop while archiving or pruning; nothing is half done")
        return []

    def _prune(self) -> list[str]:
        age, problems = _age("TELEMETRY_PRUNE_AFTER", self._base.config.prune_after)
        if age is None:
            return problems
        plan = plan_prune(self._base, age)
        left = {**plan.skipped, **prune(self._base, plan.files, self._should_stop)}
        for name in plan.files:
            if name not in left:
                logger.info("pruned %s", name)
        return [f"{name} cannot be pruned: {why}" for name, why in left.items()]

    def _archive_one(self) -> list[str]:
        age, problems = _age("TELEMETRY_ARCHIVE_AFTER", self._base.config.archive_after)
        if age is None:
            return problems
        result = archive(self._base, age, at_most=1, on_chunk=self._go_on)
        for done in result.archived:
            logger.info("archived %s as %s", done.file, done.archive)
            # There may be another one, after the next pass.
            self._next = 0.0
        return [f"{name} cannot be archived: {why}" for name, why in result.skipped.items()]

    def _go_on(self, _size: int) -> None:
        if self._should_stop():
            raise Interrupted("asked to stop")


def _age(variable: str, value: Optional[str]) -> tuple[Optional[timedelta], list[str]]:
    """Return a setting as a length of time, None for never, and what is wrong with it."""
    try:
        return (None if value is None else parse_duration(value)), []
    except ValueError as error:
        return None, [f"{variable}: {error}"]
