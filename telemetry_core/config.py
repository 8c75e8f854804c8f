"""The configuration: every setting, each with its variable, default and meaning.

`SETTINGS` is the one list; docs/configuration.md has its table from it. Called by the client and
the indexer. It reads the environment it is given and nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

from telemetry_core import storage
from telemetry_core.redaction import wrong_patterns
from telemetry_core.variables import Variables

DURABILITIES = ("kernel", "fsync")
JOURNAL_MODES = ("WAL", "DELETE", "TRUNCATE", "PERSIST")
DEFAULT_LOCK_BUDGET_MS = 50.0
# Seconds; a daemon that polls without pause would take a core for nothing.
_SHORTEST_POLL = 0.01


class Setting(NamedTuple):
    """One environment variable."""

    variable: str
    default: str
    meaning: str
    attribute: str = ""
    """The field of the configuration that it sets; empty if it sets none."""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "TELEMETRY_DB_PATH",
        "`{base}/db/telemetry.sqlite`",
        "the view's file; its parent's parent becomes the base directory",
        "database_path",
    ),
    Setting("TELEMETRY_BASE_DIR", "see below", "the base directory", "metrics_dir"),
    Setting("AGENT_METRICS_DIR", "see below", "the base directory, by its earlier name"),
    Setting("TELEMETRY_NDJSON_DIR", "`{base}/raw`", "the log's directory", "ndjson_dir"),
    Setting(
        "METRICS_API_ENABLED",
        "`true`",
        "whether the target `api` gets finished runs",
        "api_enabled",
    ),
    Setting(
        "METRICS_API_URL",
        "none",
        "where finished runs are posted, as the target `api`",
        "api_url",
    ),
    Setting(
        "METRICS_API_TOKEN", "none", "the API's token; never logged, stored or shown", "api_token"
    ),
    Setting("AGENT_OWNER", "none", "`agent_owner` of runs that give none", "agent_owner"),
    Setting(
        "TELEMETRY_SKIP_VALIDATION",
        "`false`",
        "directories may be missing when the configuration is validated",
        "skip_validation",
    ),
    Setting(
        "TELEMETRY_TEST_MODE",
        "none",
        "`mock` or `live`: marks a test; in `mock` nothing is forwarded",
        "test_mode",
    ),
    Setting(
        "TELEMETRY_DB_JOURNAL_MODE",
        "by file system",
        "the view's journal mode: `WAL`, `DELETE`, `TRUNCATE` or `PERSIST`",
        "journal_mode",
    ),
    Setting(
        "TELEMETRY_DURABILITY",
        "`kernel`",
        "`kernel`: events survive the death of the agent; `fsync`: a power cut too",
        "durability",
    ),
    Setting(
        "TELEMETRY_LOCK_BUDGET_MS",
        "`50`",
        "the longest that an event waits for the log's lock, in milliseconds",
        "lock_budget_ms",
    ),
    Setting(
        "TELEMETRY_GIT",
        "`true`",
        "whether git repository, branch and commit are filled in",
        "git",
    ),
    Setting(
        "TELEMETRY_REDACT",
        "`on`",
        "`off`: secrets are not replaced before events are written",
    ),
    Setting(
        "TELEMETRY_REDACT_NAMES",
        "none",
        "more names whose values are secrets, separated by commas",
    ),
    Setting(
        "TELEMETRY_REDACT_PATTERNS",
        "none",
        "regular expressions of more secrets, separated by blanks",
    ),
    Setting(
        "TELEMETRY_RECEIVE_TOKEN",
        "none",
        "what senders have to show to `telemetry receive`; never logged, stored or shown",
    ),
    Setting(
        "TELEMETRY_POLL_INTERVAL",
        "`1.0`",
        "the daemon looks at the log at least this often, in seconds",
        "poll_interval",
    ),
    Setting(
        "TELEMETRY_STALE_AFTER",
        "`3600`",
        "a running run silent for longer is stale, in seconds",
        "stale_after",
    ),
    Setting(
        "TELEMETRY_ARCHIVE_AFTER",
        "off",
        "the daemon compresses log files of days that are over for as long, as in `30d`",
        "archive_after",
    ),
    Setting(
        "TELEMETRY_PRUNE_AFTER",
        "off",
        "the daemon deletes log files of days that are over for as long, and what they told",
        "prune_after",
    ),
    Setting(
        "TELEMETRY_PARENT_RUN_ID",
        "none",
        "the run that this process's runs are children of; set for child processes",
    ),
    Setting("TRACEPARENT", "none", "W3C trace context; set for child processes alongside"),
    Setting("NO_COLOR", "none", "any value: no colours at the terminal"),
)


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
        poll_interval = variables.number("TELEMETRY_POLL_INTERVAL", 1.0)
        return cls(
            metrics_dir=where.base,
            database_path=where.database,
            ndjson_dir=where.log,
            api_url=variables.text("METRICS_API_URL"),
            api_token=variables.text("METRICS_API_TOKEN"),
            api_enabled=variables.flag("METRICS_API_ENABLED", True),
            agent_owner=variables.text("AGENT_OWNER"),
            test_mode=variables.text("TELEMETRY_TEST_MODE"),
            skip_validation=variables.flag("TELEMETRY_SKIP_VALIDATION", False),
            durability=(variables.text("TELEMETRY_DURABILITY") or "kernel").lower(),
            lock_budget_ms=variables.number("TELEMETRY_LOCK_BUDGET_MS", DEFAULT_LOCK_BUDGET_MS),
            git=variables.flag("TELEMETRY_GIT", True),
            journal_mode=variables.text("TELEMETRY_DB_JOURNAL_MODE"),
            poll_interval=max(_SHORTEST_POLL, poll_interval),
            stale_after=variables.number("TELEMETRY_STALE_AFTER", 3600.0),
            archive_after=variables.text("TELEMETRY_ARCHIVE_AFTER"),
            prune_after=variables.text("TELEMETRY_PRUNE_AFTER"),
            misplaced=tuple(where.notices),
            refused=(*where.notices, *variables.refused, *_wrong_patterns(env)),
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
