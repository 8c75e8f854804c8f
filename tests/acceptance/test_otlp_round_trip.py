"""Runs that are delivered as traces to our own receiver have equal spans there."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the receiver needs Python 3.10", allow_module_level=True)

from indexer.database.freshness import index_once
from indexer.outbox.otlp.values import span_id_of
from indexer.store.spans.table import SpanRow, spans_of
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import in_process
from tests.support.forward import start_targets
from tests.support.receiver import receiving

_COMPARED = (
    "name",
    "kind",
    "model",
    "provider",
    "tool_name",
    "start_time",
    "end_time",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
)


def _record(base: Path) -> str:
    start_targets(base / "raw", "traces")
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "0"}))
    with client.track_run("crawler", "nightly") as run:
        with run.span("parse", kind="step"), run.llm_call("gpt-5", provider="openai") as call:
            call.usage(input_tokens=1000, cache_read_tokens=200, output_tokens=80)
        with run.tool_call("search", arguments={"q": "x"}) as tool:
            tool.result({"hits": 3})
    return run.run_id


def _spans(base: Path) -> list[SpanRow]:
    with closing(sqlite3.connect(base / "db" / "telemetry.sqlite")) as connection:
        return list(spans_of(connection))


def _compared(span: SpanRow) -> dict[str, Any]:
    return {name: getattr(span, name) for name in _COMPARED}


def test_delivered_runs_have_equal_spans_at_our_own_receiver(tmp_path: Path) -> None:
    """Delivered twice they are the same spans; the run is the root of its trace."""
    here, there = tmp_path / "here", tmp_path / "there"
    run_id = _record(here)
    with receiving(there) as sender:
        (here / "config").mkdir()
        (here / "config" / "telemetry.toml").write_text(
            f'[targets.traces]\nkind = "otlp"\nurl = "http://127.0.0.1:{sender.port}"\n'
        )
        for _ in range(2):
            ran = in_process(here, "forward", "--json")
            (target,) = ran.json["targets"]
            assert (ran.code, target["waiting"], target["last_error"]) == (0, 0, None), ran
            # As if the receipt had been lost: the same trace is sent once more.
            for segment in (here / "raw").glob("events_*.ndjson"):
                lines = segment.read_bytes().splitlines(keepends=True)
                kept = [line for line in lines if b"run.delivered" not in line]
                segment.write_bytes(b"".join(kept))
    index_once(Base(TelemetryConfig.for_base(there)))
    received = {span.span_id: span for span in _spans(there)}
    sent = _spans(here)
    assert len(received) == len(sent) + 1 == 4
    for span in sent:
        assert _compared(received[span_id_of(run_id, span.span_id)]) == _compared(span)
    (root,) = (one for one in received.values() if one.parent_span_id is None)
    assert (root.name, root.kind) == ("crawler nightly", "agent")
