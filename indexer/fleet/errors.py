"""What can go wrong between a host and the centre, each with a next step.

No message repeats what the server answered beyond its error code: an answer may quote a secret.
"""

from __future__ import annotations

from typing import Optional

from telemetry_core.errors import TelemetryError


class FleetError(TelemetryError):
    """The centre could not be asked, or it refused."""

    retry_after: Optional[float] = None
    """Seconds that the server asks to wait, if it does."""
    code = 0
    """ClickHouse's own number of the error; 0 where it gave none."""


class FleetAddressInvalid(FleetError):
    """The centre's address cannot be used as it is given."""

    hint = 'Write it as in `--url "https://clickhouse.example.com:8443" --database telemetry`'


class FleetUnreachable(FleetError):
    """No answer, or one that says to try again later. What was sent may have been stored."""

    hint = "See that the server runs and can be reached from this host; the daemon tries again"


class FleetRefused(FleetError):
    """The server rejects our credentials, or what they permit is too little."""

    hint = (
        "Set TELEMETRY_FLEET_USER and TELEMETRY_FLEET_TOKEN; `telemetry docs fleet` lists the"
        " rights that a host needs"
    )


class FleetNotReady(FleetError):
    """The database or one of its tables is not there."""

    hint = "Run `telemetry fleet init` with the same URL and database"


class FleetRequestInvalid(FleetError):
    """The server does not understand what this version sends."""

    hint = (
        "Run `telemetry fleet init` to bring the centre's tables up to date; nothing was skipped,"
        " and the log waits"
    )


class FleetNotConfigured(FleetError):
    """No target of kind clickhouse is configured here."""

    hint = "`telemetry docs fleet` says how to add one"


class FleetNotChosen(FleetError):
    """Which of several centres is meant is not said, or it is none of them."""

    hint = "Name one with --fleet-target NAME"


class FleetQueryFailed(FleetError):
    """The centre could not run a query that a person wrote; the message is the server's."""
