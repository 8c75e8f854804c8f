"""Say what a failure means to the circuit breaker of a centre. Pure."""

from __future__ import annotations

from indexer.fleet.errors import (
    FleetAddressInvalid,
    FleetError,
    FleetNotReady,
    FleetRefused,
    FleetRequestInvalid,
)
from indexer.outbox.attempt import DELIVERED, FAILED, UNAUTHORIZED, AttemptResult
from telemetry_core.errors import TelemetryError

ALL_SHIPPED = AttemptResult(DELIVERED, "shipped")

_FOR_AN_OPERATOR = (FleetAddressInvalid, FleetNotReady, FleetRefused, FleetRequestInvalid)


def result_of_failure(error: Exception) -> AttemptResult:
    """Return the result of a round that ended in an exception.

    What only an operator can mend pauses the target; nothing is skipped, and the log waits.
    """
    if isinstance(error, _FOR_AN_OPERATOR):
        return AttemptResult(UNAUTHORIZED, str(error))
    if isinstance(error, FleetError):
        return AttemptResult(FAILED, str(error), error.retry_after)
    if isinstance(error, (TelemetryError, OSError)):
        return AttemptResult(FAILED, f"this host could not ship: {error}")
    return AttemptResult(FAILED, f"this host could not ship: {type(error).__name__}")
