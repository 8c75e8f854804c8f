"""The trial: one made-up run sent to one target, to see whether it takes runs.

Called by `telemetry forward test`. It leaves nothing in log, database or outbox; what the target
keeps of it says of itself that it is a test.
"""

from __future__ import annotations

from typing import Optional

from indexer.forward.failure import NO_ANSWER
from indexer.forward.sender import Messenger
from indexer.outbox.parcel import Parcel
from indexer.outbox.payload import body_of, key_of
from indexer.outbox.target import Target
from indexer.outbox.verdict import FAILED, Verdict
from indexer.system.wakeup import Wakeup
from telemetry_core.clock import CLOCK
from telemetry_core.process import host_name
from telemetry_core.run_id import new_run_id

_AGENT = "telemetry-forward-test"


def try_target(target: Target) -> Verdict:
    """Send a run that never was, and return what came of it."""
    hint = Wakeup()
    messenger = Messenger(hint.set)
    try:
        messenger.send(target, _parcel(target))
        hint.wait(target.timeout + 1.0)
        outcome: Optional[Verdict] = next((one for _, one in messenger.outcomes()), None)
        return outcome or Verdict(FAILED, NO_ANSWER)
    finally:
        messenger.close()
        hint.close()


def _parcel(target: Target) -> Parcel:
    time = CLOCK.tick().time
    run_id = new_run_id(_AGENT, time)
    row = dict.fromkeys(target.names) | {
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
    return Parcel(target.name, run_id, 1, key, body_of(row, target.names), 1)
