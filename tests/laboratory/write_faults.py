"""Write faults: every system call of the writer fails, falls short, or is its last."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from telemetry_core import TelemetryConfig
from tests.laboratory import children, shim
from tests.laboratory.agents import EVENTS_RECORDED, a_day, client_on, record
from tests.laboratory.experiment import Bench
from tests.laboratory.shim import ACTIONS, ERRORS, Fault
from tests.support.oracle import Violation, events_of, judge, judge_log


def run(bench: Bench, rounds: int) -> dict[str, int]:
    """Strike at each call of the writer with each fault that fits it; return what was done."""
    whole = TelemetryConfig.for_base(bench.directory / "whole")
    whole.ndjson_dir.mkdir(parents=True)
    figures = {"errors": 0, "kills": 0, "events": 0}
    for number in range(rounds):
        durability = ("kernel", "fsync")[(bench.seed + number) % 2]
        for fault in _faults(_calls(bench.directory / "counted", durability)):
            _strike(bench.directory / "struck", whole.ndjson_dir, fault, durability)
            figures["errors" if fault.action in ("error", "short") else "kills"] += 1
            bench.on_progress(1)
    figures["events"] = judge(whole)
    return figures


def _calls(base: Path, durability: str) -> tuple[str, ...]:
    ended = children.run(record, base, shim.NONE, durability)
    shutil.rmtree(base)
    return ended.said[-1][1].calls


def _faults(calls: tuple[str, ...]) -> list[Fault]:
    """Every way to fail and to die that fits each of the calls."""
    faults = []
    for number, call in enumerate(calls, 1):
        for error in ERRORS[call]:
            faults += [Fault(number, "error", error, goes_on) for goes_on in (False, True)]
        if call == "write":
            faults += [Fault(number, "short", goes_on=goes_on) for goes_on in (False, True)]
        faults += [Fault(number, action) for action in ACTIONS[: 3 if call == "write" else 2]]
    return faults


def _strike(base: Path, kept: Path, fault: Fault, durability: str) -> None:
    """Have one fault meet an agent; what it leaves is judged, and kept to be indexed."""
    ended = children.run(record, base, fault, durability)
    acknowledged = [word[1] for word in ended.said if word[0] == "acknowledged"]
    _judge(ended, fault, len({event.id for event in events_of(base / "raw")}))
    late = _another_agent_records(base) if fault.action.startswith(("kill", "torn")) else []
    judge_log(base / "raw", [one for one in (*acknowledged, *late) if one])
    for path in (base / "raw").glob("events_*"):
        path.rename(kept / f"{path.stem}-{len(list(kept.iterdir()))}.ndjson")
    shutil.rmtree(base)


def _judge(ended: children.Ended, fault: Fault, events: int) -> None:
    if fault.action not in ("error", "short"):
        if ended.code != -9:
            raise Violation(f"{fault}: it should have died, and ended with {ended.code}")
        return
    if ended.code != 0 or ended.said[-1][0] != "ended":
        raise Violation(f"{fault}: the host suffered, it ended with {ended.code}")
    _, met, flushed, stats = ended.said[-1]
    if not met.times:
        raise Violation(f"{fault}: never struck")
    _judge_recovery(fault, flushed, stats)
    if events != EVENTS_RECORDED:
        # Also those that were never acknowledged: they waited, and nothing says that they went.
        raise Violation(f"{fault}: {EVENTS_RECORDED} events were recorded, the log has {events}")


def _judge_recovery(fault: Fault, flushed: bool, stats: dict[str, Any]) -> None:
    lost = stats["events_waiting"] + stats["events_dropped"] + stats["client_errors"]
    if not flushed or lost:
        raise Violation(f"{fault}: not all was written once it was over: {stats}")


def _another_agent_records(base: Path) -> list[str]:
    """Append after the dead one, as the next agent does."""
    client = client_on(base)
    ids = [one for one in a_day(client) if one]
    client.close()
    return ids
