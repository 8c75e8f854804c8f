"""Spans, usage and metrics are functions of the set of events, however these arrive."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.ingest.apply import fold_all, refold_runs
from indexer.ingest.projections.check import differences
from indexer.store.schema.columns import SPAN_COLUMNS
from telemetry_core.event import Event
from tests.support.agents_at_work import histories
from tests.support.batches import small_batches
from tests.support.database import Passes, event, lines_of
from tests.support.span_oracle import expected_metrics, expected_spans

_SPAN_NAMES = ", ".join((*SPAN_COLUMNS, "is_owner", "counted"))


def _by_run(events: list[Event]) -> dict[str, list[Event]]:
    runs: dict[str, list[Event]] = {}
    for one in sorted(events, key=lambda event: (event.time, event.id)):
        runs.setdefault(one.run_id, []).append(one)
    return runs


def _judge(passes: Passes, events: list[Event]) -> None:
    runs = _by_run(events)
    spans = {row[:2]: row for row in passes.all(f"SELECT {_SPAN_NAMES} FROM run_spans")}
    assert spans == expected_spans(runs)
    assert sorted(passes.all("SELECT * FROM run_metrics")) == expected_metrics(runs)
    stored = [
        dict(zip(_columns(passes), row))
        for row in passes.all("SELECT * FROM agent_runs ORDER BY run_id")
    ]
    folded = list(fold_all(passes.connection))
    assert stored == [run.row for run in folded if run.row is not None]
    assert list(differences(passes.connection, [run.whole for run in folded])) == []


def _columns(passes: Passes) -> list[str]:
    return [row[1] for row in passes.all("PRAGMA table_info(agent_runs)")]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(), data=st.data())
def test_any_order_repetition_and_splitting_gives_the_same_tables(
    history: list[Event], data: st.DataObject
) -> None:
    """In one segment or two, in batches of one or many, with lines twice, between passes."""
    lines = data.draw(st.permutations(history))
    lines += data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=3)))
    size = data.draw(st.integers(1, 8))
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name, "raw")
        raw.mkdir()
        passes = Passes(raw, Path(name, "live.sqlite"))
        with small_batches(size):
            for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(lines)])):
                segment = raw / f"events_2026010{1 + number % 2}.ndjson"
                with segment.open("ab") as file:
                    file.write(lines_of(lines[start:end]))
                passes.run()
        _judge(passes, history)
        runs = {one.run_id for one in history}
        refold_runs(passes.connection, runs)
        _judge(passes, history)
        passes.connection.close()


@pytest.fixture
def passes(tmp_path: Path) -> Any:
    """Passes over an empty log."""
    raw = tmp_path / "raw"
    raw.mkdir()
    made = Passes(raw, tmp_path / "live.sqlite")
    yield made
    made.connection.close()


def _append(passes: Passes, events: list[Event]) -> None:
    raw = passes.database.parent / "raw"
    with (raw / "events_20260101.ndjson").open("ab") as file:
        file.write(lines_of(events))
    passes.run()


def _started(number: int, span_id: str, parent: Any = None, **more: Any) -> Event:
    one = event(number, "span.started", span_id=span_id, parent_span_id=parent)
    return one._replace(data={**one.data, **more})


def _ended(number: int, span_id: str, **attributes: Any) -> Event:
    return event(number, "span.ended", span_id=span_id, status="ok", attributes=attributes)


USED = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}


def test_a_span_that_another_process_ends_is_one_row(passes: Passes) -> None:
    """In another segment, in another pass, by another source."""
    _append(passes, [_started(1, "s", name="search", kind="tool")])
    assert passes.all("SELECT name, end_time FROM run_spans") == [("search", None)]
    _append(passes, [_ended(2, "s")._replace(source="other/2")])
    assert passes.all("SELECT name, status, end_time IS NOT NULL FROM run_spans") == [
        ("search", "ok", 1)
    ]


def test_leaves_are_summed_and_parents_never(passes: Passes) -> None:
    """A parent that repeats its children's usage counts only until they have any."""
    _append(passes, [_started(1, "p"), _ended(2, "p", **USED)])
    assert passes.all("SELECT input_tokens, calls FROM run_usage") == [(10, 1)]
    _append(passes, [_started(3, "c", "p"), _ended(4, "c", **USED)])
    assert passes.all("SELECT span_id FROM run_spans WHERE counted") == [("c",)]
    assert passes.all("SELECT input_tokens, output_tokens, calls FROM run_usage") == [(10, 2, 1)]


def test_a_hostile_count_does_not_break_the_views(passes: Passes) -> None:
    """Sums that leave the range of integers are as good as they can be."""
    huge = {"gen_ai.usage.input_tokens": 2**53}
    many = [one for n in range(1_100) for one in [_ended(n, f"s{n}", **huge)]]
    _append(passes, [event(2_000, "run.started", agent_name="a"), *many])
    for view in ("run_usage", "usage_by_day", "usage_by_model", "usage_by_agent"):
        ((total,),) = passes.all(f"SELECT input_tokens FROM {view}")
        assert total > 0


def _line(session: str, second: int, **more: Any) -> Event:
    line = {
        "type": "assistant",
        "sessionId": session,
        "message": {"id": "m1", "content": [], "usage": {"input_tokens": 5}},
        "timestamp": f"2026-01-01T00:00:{second:02d}Z",
        **more,
    }
    data = {"position": "0000000000", "session_id": session, "line": line}
    return event(second, "session.claude-code", f"claude-code-{session}", **data)


def test_a_call_that_two_sessions_claim_is_counted_once(passes: Passes) -> None:
    """The one that began first has it, whichever was read first; when it goes, the other."""
    _append(passes, [_line("copy", 9)])
    assert passes.all("SELECT run_id FROM run_usage") == [("claude-code-copy",)]
    _append(passes, [_line("first", 3)])
    assert passes.all("SELECT run_id FROM run_usage") == [("claude-code-first",)]
    assert passes.all("SELECT run_id FROM run_spans WHERE NOT is_owner") == [("claude-code-copy",)]
    passes.connection.execute("DELETE FROM run_events WHERE run_id = 'claude-code-first'")
    refold_runs(passes.connection, ["claude-code-first"])
    assert passes.all("SELECT run_id FROM run_usage") == [("claude-code-copy",)]


def test_a_run_of_foreign_records_takes_what_its_own_events_say_first(passes: Passes) -> None:
    """A native start wins over what the session says, though it comes last."""
    mine = event(900, "run.started", "claude-code-s", agent_name="mine", items_failed=2)
    _append(passes, [_line("s", 3)])
    _append(passes, [mine])
    _append(passes, [_line("s", 7, uuid="other")])
    row = passes.run_row("claude-code-s")
    assert (row["agent_name"], row["items_failed"], row["foreign_events"]) == ("mine", 2, 2)
    # Nobody has said that it ended, whatever the session's lines are taken for.
    assert (row["status"], row["end_time"]) == ("running", None)


def test_native_events_of_a_span_that_a_session_speaks_of_are_joined_with_it(
    passes: Passes,
) -> None:
    """In whichever order they come: the same id in the same run is the same span."""
    own = _started(4, "m1", name="mine")._replace(run_id="claude-code-s")
    _append(passes, [_line("s", 3)])
    _append(passes, [own])
    assert passes.all("SELECT span_id, name, kind FROM run_spans") == [("m1", "mine", "llm")]
    assert passes.all("SELECT input_tokens FROM run_usage") == [(5,)]


def test_a_run_without_spans_leaves_the_tables_alone(passes: Passes) -> None:
    """Nothing is written for it."""
    _append(passes, [event(1, "run.started", agent_name="a"), event(2), event(3, "run.ended")])
    changes = passes.connection.total_changes
    assert passes.all("SELECT count(*) FROM run_spans") == [(0,)]
    _append(passes, [event(4)])
    # The event, its file's cursor, and the row of its run.
    assert passes.connection.total_changes - changes == 3


def test_ten_thousand_spans_at_two_hundred_levels_with_a_cycle(passes: Passes) -> None:
    """All are there, and each chain counts once."""
    events = []
    for number in range(10_000):
        parent = f"s{number - 1:05d}" if number % 200 else None
        events.append(_started(2 * number, f"s{number:05d}", parent))
        events.append(_ended(2 * number + 1, f"s{number:05d}", **USED))
    _append(passes, [*events, _started(30_000, "x", "y"), _started(30_001, "y", "x")])
    assert passes.all("SELECT count(*), sum(counted) FROM run_spans") == [(10_002, 50)]
    assert passes.all("SELECT calls, input_tokens FROM run_usage") == [(50, 500)]
