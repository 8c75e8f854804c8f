"""Send one made-up run to one target, to see whether the target accepts runs.

Used by `telemetry forward test`. It leaves nothing in log, database or outbox; the run says of
itself that it is a test.
"""

from __future__ import annotations

from typing import Optional

from indexer.forward.failure import NO_ANSWER
from indexer.forward.sender import Sender
from indexer.outbox.attempt import FAILED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.payload import key_of
from indexer.outbox.projection import payload_for
from indexer.outbox.target import Target
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.system.wakeup import Wakeup
from telemetry_core.clock import CLOCK
from telemetry_core.process import host_name
from telemetry_core.run_id import new_run_id

_AGENT = "telemetry-forward-test"


def try_target(target: Target) -> AttemptResult:
    """Send a made-up run, and return the result."""
    return try_parcel(target, _parcel(target))


def try_parcel(target: Target, parcel: Parcel) -> AttemptResult:
    """Make one attempt, and return the result."""
    wakeup = Wakeup()
    sender = Sender(wakeup.set)
    try:
        sender.send(target, parcel)
        wakeup.wait(target.timeout + 1.0)
        outcome: Optional[AttemptResult] = next((one for _, one in sender.outcomes()), None)
        return outcome or AttemptResult(FAILED, NO_ANSWER)
    finally:
        sender.close()
        wakeup.close()


def _parcel(target: Target) -> Parcel:
    time = CLOCK.tick().time
    run_id = new_run_id(_AGENT, time)
    row = dict.fromkeys((*RUN_COLUMNS, "revision", "updated_at")) | {
        "run_id": run_id,
        "agent_name": _AGENT,
        "job_type": "test",
        "trigger_type": "manual",
        "start_time": time,
        "end_time": time,
        "status": "success",
        "duration_ms": 0,
        "host": host_name(),
    }
    key = key_of(run_id, 1, target.names)
    return Parcel(target.name, run_id, 1, key, payload_for(target, row, ()), 1)
