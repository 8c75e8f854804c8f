"""List every environment variable, with its kind, default and meaning.

The one list. `TelemetryConfig.from_env` reads by it; docs/configuration.md has its table from it,
`telemetry doctor` checks and shows by it, and the service file and the compose file take their
variables from it. It holds data only, never behaviour.
"""

from __future__ import annotations

from typing import NamedTuple, Union

PATH = "path"
TEXT = "text"
SECRET = "secret"  # noqa: S105  # a kind, not one
FLAG = "flag"
NUMBER = "number"
DURATION = "duration"
CHOICE = "choice"

DURABILITIES = ("kernel", "fsync")
JOURNAL_MODES = ("WAL", "DELETE", "TRUNCATE", "PERSIST")
DEFAULT_LOCK_BUDGET_MS = 50.0
# Seconds; a daemon that polls without pause would take a core for nothing.
_SHORTEST_POLL = 0.01


class Setting(NamedTuple):
    """One environment variable."""

    variable: str
    kind: str
    """`path`, `text`, `secret`, `flag`, `number`, `duration` (as in `30d`) or `choice`."""
    default: Union[str, float, bool, None]
    """The value where the variable is not set; None where there is none, or where it depends."""
    meaning: str
    """One line, in Markdown."""
    attribute: str = ""
    """The field of the configuration that it sets; empty if it sets none."""
    shown: str = ""
    """What the documentation says of the default, where that is not a value."""
    choices: tuple[str, ...] = ()
    least: float = 0.0
    """The smallest number that is used."""

    @property
    def shown_default(self) -> str:
        """The default in Markdown."""
        if self.shown or self.default is None:
            return self.shown or "none"
        if isinstance(self.default, bool):
            return f"`{str(self.default).lower()}`"
        return f"`{self.default:g}`" if isinstance(self.default, float) else f"`{self.default}`"


SETTINGS: tuple[Setting, ...] = (
    Setting("TELEMETRY_BASE_DIR", PATH, None, "the base directory", "metrics_dir", "see below"),
    Setting(
        "AGENT_METRICS_DIR", PATH, None, "the base directory, by its earlier name", "", "see below"
    ),
    Setting(
        "TELEMETRY_DB_PATH",
        PATH,
        None,
        "the database file; in a directory `db` it names the base directory as well",
        "database_path",
        "`{base}/db/telemetry.sqlite`",
    ),
    Setting(
        "TELEMETRY_NDJSON_DIR", PATH, None, "the directory of the log", "ndjson_dir", "`{base}/raw`"
    ),
    Setting(
        "METRICS_API_ENABLED",
        FLAG,
        True,
        "whether the target `api` gets finished runs",
        "api_enabled",
    ),
    Setting(
        "METRICS_API_URL",
        TEXT,
        None,
        "where finished runs are posted, as the target `api`",
        "api_url",
    ),
    Setting(
        "METRICS_API_TOKEN",
        SECRET,
        None,
        "the API's token; never logged, stored or shown",
        "api_token",
    ),
    Setting("AGENT_OWNER", TEXT, None, "`agent_owner` of runs that give none", "agent_owner"),
    Setting(
        "TELEMETRY_SKIP_VALIDATION",
        FLAG,
        False,
        "directories may be missing when the configuration is validated",
        "skip_validation",
    ),
    Setting(
        "TELEMETRY_TEST_MODE",
        CHOICE,
        None,
        "`mock` or `live`: marks a test; in `mock` nothing is forwarded",
        "test_mode",
        choices=("mock", "live"),
    ),
    Setting(
        "TELEMETRY_DB_JOURNAL_MODE",
        CHOICE,
        None,
        "the journal mode of the database: `WAL`, `DELETE`, `TRUNCATE` or `PERSIST`",
        "journal_mode",
        "by file system",
        choices=JOURNAL_MODES,
    ),
    Setting(
        "TELEMETRY_DURABILITY",
        CHOICE,
        "kernel",
        "`kernel`: events survive the death of the agent; `fsync`: a power cut too",
        "durability",
        choices=DURABILITIES,
    ),
    Setting(
        "TELEMETRY_LOCK_BUDGET_MS",
        NUMBER,
        DEFAULT_LOCK_BUDGET_MS,
        "the longest that an event waits for the log's lock, in milliseconds",
        "lock_budget_ms",
    ),
    Setting(
        "TELEMETRY_PURE",
        FLAG,
        False,
        "nothing compiled is used: agents record by the code in Python alone",
    ),
    Setting(
        "TELEMETRY_GIT",
        FLAG,
        True,
        "whether git repository, branch and commit are filled in",
        "git",
    ),
    Setting(
        "TELEMETRY_REDACT", TEXT, "on", "`off`: secrets are not replaced before events are written"
    ),
    Setting(
        "TELEMETRY_REDACT_NAMES",
        TEXT,
        None,
        "more names whose values are secrets, separated by commas",
    ),
    Setting(
        "TELEMETRY_REDACT_PATTERNS",
        TEXT,
        None,
        "regular expressions of more secrets, separated by spaces",
    ),
    Setting(
        "TELEMETRY_RECEIVE_TOKEN",
        SECRET,
        None,
        "what senders have to show to `telemetry receive`; never logged, stored or shown",
    ),
    Setting(
        "TELEMETRY_FLEET_USER",
        TEXT,
        None,
        "who this host is to the central ClickHouse; the target's `user` comes first",
    ),
    Setting(
        "TELEMETRY_FLEET_TOKEN",
        SECRET,
        None,
        "the password for the central ClickHouse; never logged, stored or shown",
    ),
    Setting(
        "TELEMETRY_POLL_INTERVAL",
        NUMBER,
        1.0,
        "the daemon looks at the log at least this often, in seconds",
        "poll_interval",
        least=_SHORTEST_POLL,
    ),
    Setting(
        "TELEMETRY_STALE_AFTER",
        NUMBER,
        3600.0,
        "a running run silent for longer is stale, in seconds",
        "stale_after",
    ),
    Setting(
        "TELEMETRY_ARCHIVE_AFTER",
        DURATION,
        None,
        "the daemon compresses segments of days that ended this long ago, as in `30d`",
        "archive_after",
        "off",
    ),
    Setting(
        "TELEMETRY_PRUNE_AFTER",
        DURATION,
        None,
        "the daemon deletes segments of days that ended this long ago, with their rows",
        "prune_after",
        "off",
    ),
    Setting(
        "TELEMETRY_PARENT_RUN_ID",
        TEXT,
        None,
        "the run that this process's runs are children of; set for child processes",
    ),
    Setting("TRACEPARENT", TEXT, None, "W3C trace context; set for child processes with it"),
    Setting("NO_COLOR", TEXT, None, "any value: no colors at the terminal"),
)
