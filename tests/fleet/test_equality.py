"""The centre's rows are those of all hosts' events, however these were shipped."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.fleet.shipping import batch
from indexer.fleet.shipping import round as rounds
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode
from tests.support.centre import Host
from tests.support.clickhouse import Centre, Server
from tests.support.fleet_judge import differences
from tests.support.sessions import assistant

pytestmark = pytest.mark.needs("clickhouse")

_DATABASES = count()
_HOSTS = 3
_TIMES = st.integers(0, 9).map(lambda second: f"2026-11-22T12:00:0{second}.250000Z")
_ODD = st.sampled_from([7, 2.5, "7", True, 2**63, "12 items", 1e16, "\u2028 \x00 é"])
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["running", "success", "failed", "odd"]),
        "agent_name": st.sampled_from(["a", "b"]),
        "items_succeeded": _ODD,
        "own_number": _ODD,
        "own_text": st.sampled_from(["x", {"deep": [1.0, None]}]),
    },
)
_USAGE = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.usage.input_tokens": st.integers(0, 9),
        "gen_ai.usage.output_tokens": st.integers(0, 9),
        "gen_ai.request.model": st.just("gpt-5"),
    },
)
_SPANS = st.fixed_dictionaries(
    {"span_id": st.sampled_from(["s1", "s2", "s3"]), "attributes": _USAGE},
    optional={
        "parent_span_id": st.sampled_from(["s1", "s2"]),
        "kind": st.just("llm"),
        "name": st.sampled_from(["chat", "parse"]),
        "error": st.just("E: x"),
    },
)
_SESSION = st.builds(
    lambda second, message, output: {"line": assistant(second, message, output)},
    st.integers(0, 5),
    st.sampled_from(["m1", "m2"]),
    st.integers(1, 9),
)
_DATA: dict[str, st.SearchStrategy[Any]] = {
    "run.started": _FIELDS,
    "run.updated": _FIELDS,
    "run.ended": _FIELDS,
    "run.incremented": st.fixed_dictionaries({}, optional={"items_succeeded": _ODD}),
    "run.metrics": st.fixed_dictionaries({"metrics": st.dictionaries(st.sampled_from("lm"), _ODD)}),
    "run.event": st.fixed_dictionaries({"event_type": st.just("e"), "payload": _ODD}),
    "span.started": _SPANS,
    "span.ended": _SPANS,
    "session.claude-code": _SESSION,
    "run.delivered": st.fixed_dictionaries({"target": st.just("api"), "revision": st.just(1)}),
    "heard.of.never": st.just({"x": 1}),
}


def _event(kind: str, event_id: str, run_id: str, time: str, data: Any) -> Event:
    return Event(event_id, "web1/1", kind, run_id, time, data)


_EVENTS = st.sampled_from(sorted(_DATA)).flatmap(
    lambda kind: st.builds(
        _event,
        st.just(kind),
        # Few enough that some events claim the id of another, with other contents.
        st.sampled_from([f"id-{number}" for number in range(12)]),
        st.sampled_from(["r1", "r2", "telemetry.unassigned"]),
        _TIMES,
        _DATA[kind],
    )
)
_LEGACY = st.builds(
    lambda run, status: (
        json.dumps(
            {
                "record_type": "run",
                "run_id": run,
                "status": status,
                "start_time": "2026-11-22T12:00:00Z",
            }
        ).encode()
        + b"\n"
    ),
    st.sampled_from(["r1", "old"]),
    st.sampled_from(["running", "success"]),
)
_LINES = st.one_of(
    _EVENTS.map(encode), _EVENTS.map(encode), _LEGACY, st.just(b"no \xff\x00 json\n")
)
_STEPS = st.lists(
    st.tuples(
        st.integers(0, _HOSTS - 1),
        st.sampled_from(["events_20261122.ndjson", "events_20261123.ndjson"]),
        st.lists(_LINES, min_size=1, max_size=5),
        st.sampled_from(["ship", "wait", "ship", "forget", "repeat"]),
    ),
    min_size=1,
    max_size=8,
)


_CUT = {"steps": _STEPS, "lines": st.integers(1, 6), "batches": st.integers(1, 3)}


@given(**_CUT)
@settings(max_examples=6)
def test_any_order_cut_and_repetition_gives_the_rows_of_all_events(
    server: Server, steps: list[Any], lines: int, batches: int
) -> None:
    """Hosts ship in any order and in batches of any size, forget how far they were, and repeat."""
    _check(server, steps, lines, batches)


@pytest.mark.laboratory
@given(**_CUT)
@settings(max_examples=40)
def test_any_order_cut_and_repetition_gives_the_rows_of_all_events_in_many_examples(
    server: Server, steps: list[Any], lines: int, batches: int
) -> None:
    """As above."""
    _check(server, steps, lines, batches)


def test_what_two_hosts_have_at_one_place_of_their_logs_is_all_folded(
    server: Server,
) -> None:
    """Though one of them claims an id that another event has, and their segments have one name."""
    name = "events_20261122.ndjson"

    def told(event_id: str, count: int) -> bytes:
        time = f"2026-11-22T12:00:0{count}.250000Z"
        return encode(_event("run.updated", event_id, "r1", time, {"items_failed": count}))

    # Of one length, so that each is at the place of its neighbour on the other host.
    steps = [
        (0, name, [told("id-1", 1), told("id-2", 2), told("id-3", 3)], "ship"),
        (1, name, [told("id-4", 4), told("id-1", 5), told("id-2", 6)], "ship"),
        (2, name, [told("id-5", 7), told("id-3", 8), told("id-1", 9)], "ship"),
    ]
    _check(server, steps, 100, 4)


def _check(server: Server, steps: list[Any], lines: int, batches: int) -> None:
    with TemporaryDirectory() as directory:
        centre = Centre(server, f"equal_{next(_DATABASES)}")
        hosts = [_host(Path(directory) / f"h{number}", centre) for number in range(_HOSTS)]
        with (
            mock.patch.object(batch, "MAX_LINES", lines),
            mock.patch.object(rounds, "BATCHES", batches),
        ):
            for number, segment, some, then in steps:
                _append(hosts[number], segment, some)
                _act(hosts[number], then)
            for host in hosts:
                host.ship()
        found = differences(centre, [host.base for host in hosts], Path(directory) / "union")
        centre.client.run(f"DROP DATABASE {centre.address.database}", in_database=False)
        centre.client.close()
        assert found == []


def _host(directory: Path, centre: Centre) -> Host:
    base = Base(TelemetryConfig.for_base(directory))
    base.log_directory.mkdir(parents=True)
    return Host(base, centre)


def _append(host: Host, segment: str, lines: list[bytes]) -> None:
    with open(host.base.log_directory / segment, "ab") as file:
        file.write(b"".join(lines))


def _act(host: Host, what: str) -> None:
    state = host.base.database_path.parent / "fleet-fleet.json"
    before = state.read_bytes() if state.exists() else None
    if what == "forget" and before is not None:
        os.unlink(state)
    if what != "wait":
        host.ship()
    if what == "repeat":
        # As if it had been killed before the cursor moved: next time it sends all that again.
        if before is not None:
            state.write_bytes(before)
        else:
            state.unlink(missing_ok=True)
