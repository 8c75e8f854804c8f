"""Hold what the settings say, as one object.

Called by the client and the indexer. It reads the environment that it is given and nothing else;
`settings.py` has the list of what there is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from telemetry_core import storage
from telemetry_core.settings import (
    DEFAULT_LOCK_BUDGET_MS,
    DURABILITIES,
    JOURNAL_MODES,
    PATH,
    SETTINGS,
)
from telemetry_core.variables import Variables


@dataclass
class TelemetryConfig:
    """What the client and the indexer need to know. Build it with `from_env`."""

    metrics_dir: Path
    """The base directory."""
    database_path: Path
    ndjson_dir: Path
    api_url: Optional[str] = None
    api_token: Optional[str] = None
    api_enabled: bool = True
    agent_owner: Optional[str] = None
    test_mode: Optional[str] = None
    skip_validation: bool = False
    durability: str = "kernel"
    lock_budget_ms: float = DEFAULT_LOCK_BUDGET_MS
    git: bool = True
    journal_mode: Optional[str] = None
    poll_interval: float = 1.0
    """Seconds."""
    stale_after: float = 3600.0
    """Seconds."""
    archive_after: Optional[str] = None
    """A length of time, as in `30d`; None for never."""
    prune_after: Optional[str] = None
    """A length of time, as in `365d`; None for never."""
    misplaced: tuple[str, ...] = ()
    """Why files are not where a variable or the home directory would have them, in words."""
    refused: tuple[str, ...] = ()
    """Variables that made no sense, in words, and what is used instead."""

    @classmethod
    def from_env(cls, environ: Optional[Mapping[str, str]] = None) -> TelemetryConfig:
        """Read the configuration from environment variables.

        Raises nothing: a value that makes no sense is replaced by its default, and
        `validate` says so.
        """
        env = os.environ if environ is None else environ
        return cls._at(storage.locate(env), env)

    @classmethod
    def for_base(cls, base: Path, environ: Optional[Mapping[str, str]] = None) -> TelemetryConfig:
        """Read the configuration for a base directory that is already known."""
        env: Mapping[str, str] = {} if environ is None else environ
        return cls._at(storage.locate(env, storage.absolute(str(base))), env)

    @classmethod
    def _at(cls, where: storage.Locations, env: Mapping[str, str]) -> TelemetryConfig:
        variables = Variables(env)
        values = {
            setting.attribute: variables.value(setting)
            for setting in SETTINGS
            if setting.attribute and setting.kind != PATH
        }
        return cls(
            metrics_dir=where.base,
            database_path=where.database,
            ndjson_dir=where.log,
            misplaced=tuple(where.notices),
            refused=(*where.notices, *variables.refused, *_wrong_patterns(env)),
            **values,
        )

    def directories(self) -> dict[str, Path]:
        """Return every directory of the base by its name, the base itself first."""
        return {
            "base": self.metrics_dir,
            "log": self.ndjson_dir,
            "database": self.database_path.parent,
            **{name: self.metrics_dir / name for name in storage.EXTRAS},
        }

    def validate(self, strict: bool = True) -> tuple[bool, list[str]]:
        """Return whether the configuration can work, and what is wrong with it.

        A missing directory is an error only when `strict` and not `skip_validation`: each is
        created on first use. An API that is not configured is never an error.
        """
        problems = list(self.refused)
        if self.journal_mode and self.journal_mode.upper() not in JOURNAL_MODES:
            modes = ", ".join(JOURNAL_MODES)
            problems.append(
                f"TELEMETRY_DB_JOURNAL_MODE is {self.journal_mode!r}, and DELETE is used: {modes}"
                " are known"
            )
        if self.durability not in DURABILITIES:
            problems.append(f"TELEMETRY_DURABILITY is {self.durability!r}: use kernel or fsync")
        if self.api_url and not self.api_url.lower().startswith(("http://", "https://")):
            problems.append("METRICS_API_URL is not an http or https address")
        if self.test_mode not in (None, "mock", "live"):
            problems.append(f"TELEMETRY_TEST_MODE is {self.test_mode!r}: use mock or live")
        problems += _wrong_durations(
            TELEMETRY_ARCHIVE_AFTER=self.archive_after, TELEMETRY_PRUNE_AFTER=self.prune_after
        )
        if strict and not self.skip_validation:
            directories = (self.metrics_dir, self.database_path.parent, self.ndjson_dir)
            problems += [
                f"{path} is not a directory yet; it is made on first use"
                for path in directories
                if not path.is_dir()
            ]
        return not problems, problems

    def is_test_mode(self) -> bool:
        """Whether `TELEMETRY_TEST_MODE` says that this is a test."""
        return self.test_mode in ("mock", "live")

    def __str__(self) -> str:
        token = "***" if self.api_token else None
        url = without_secrets(self.api_url) if self.api_url else None
        return (
            f"TelemetryConfig(metrics_dir={self.metrics_dir}, database_path={self.database_path}, "
            f"ndjson_dir={self.ndjson_dir}, api_url={url}, api_token={token}, "
            f"api_enabled={self.api_enabled}, agent_owner={self.agent_owner}, "
            f"test_mode={self.test_mode}, durability={self.durability})"
        )

    __repr__ = __str__


def without_secrets(url: str) -> str:
    """Return a URL without its query and its start, either of which may carry a token."""
    return re.sub(r"(?<=://)[^/?#]*@|[?#].*", "", url)


def _wrong_patterns(env: Mapping[str, str]) -> list[str]:
    if not env.get("TELEMETRY_REDACT_PATTERNS"):
        return []
    # Imported here: a command that reads the database compiles no pattern.
    from telemetry_core.redaction import wrong_patterns

    return [
        f"TELEMETRY_REDACT_PATTERNS: {pattern!r} is no regular expression and is not used"
        for pattern in wrong_patterns(env)
    ]


def _wrong_durations(**values: Optional[str]) -> list[str]:
    # Imported here: an agent archives nothing.
    from telemetry_core.duration import parse_duration

    problems = []
    for variable, value in values.items():
        try:
            parse_duration(value or "0s")
        except ValueError as error:
            problems.append(f"{variable}: {error}")
    return problems
