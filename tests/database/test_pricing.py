"""Estimates next to tokens, their version, and newer prices without reading the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from indexer.database.freshness import index_once
from indexer.database.pricing import book as price_book
from indexer.database.pricing.book import load_prices, overrides_path
from indexer.database.rebuild import rebuild
from indexer.system.base import Base
from telemetry_core.config import TelemetryConfig
from tests.support.database import event, lines_of, rows

PRICED = '[models."m*"]\ninput = 2\noutput = 4\n'


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    """A base with two calls, of a model with a price of its own and of one without."""
    monkeypatch.setattr(price_book, "installed_version", lambda: None)
    made = Base(TelemetryConfig.for_base(tmp_path))
    made.log_directory.mkdir(parents=True)
    overrides_path(made.directory).parent.mkdir()
    overrides_path(made.directory).write_text(PRICED)
    calls = [_call(1, "m-1"), _call(2, "other")]
    (made.log_directory / "events_20260101.ndjson").write_bytes(lines_of(calls))
    return made


def _call(number: int, model: str) -> Any:
    used = {"gen_ai.request.model": model, "gen_ai.usage.input_tokens": 1_000_000}
    return event(number, "span.ended", span_id=f"s{number}", attributes=used)


def _costs(base: Base) -> list[Any]:
    found = rows(base.config, "SELECT cost_estimated_usd FROM run_spans ORDER BY span_id")
    return [cost for (cost,) in found]


def test_a_call_has_its_price_and_one_that_nobody_knows_has_none(base: Base) -> None:
    """NULL is not 0, and the sums say how many calls they leave out."""
    assert _costs(base) == [2.0, None]
    sums = rows(base.config, "SELECT cost_estimated_usd, calls_without_price FROM run_usage")
    assert sums == [(2.0, 1)]


def test_new_prices_are_taken_without_reading_the_log(base: Base) -> None:
    """Also when nothing else is new; the version says which they are."""
    assert _costs(base) == [2.0, None]
    (before,) = rows(base.config, "SELECT value FROM settings WHERE name = 'price_version'")
    overrides_path(base.directory).write_text(PRICED.replace("input = 2", "input = 3"))
    assert _costs(base) == [3.0, None]
    (after,) = rows(base.config, "SELECT value FROM settings WHERE name = 'price_version'")
    assert before != after
    assert rows(base.config, "SELECT DISTINCT price_version FROM run_spans") == [after]


def test_a_rebuild_prices_as_the_passes_did(base: Base) -> None:
    """The same estimates under the same prices."""
    before = _costs(base)
    rebuild(base)
    assert _costs(base) == before


def test_prices_that_are_gone_leave_the_estimates(base: Base) -> None:
    """A command that runs without the package takes nothing from what another estimated."""
    assert _costs(base) == [2.0, None]
    overrides_path(base.directory).unlink()
    assert load_prices(base.directory).book is None
    assert _costs(base) == [2.0, None]


@pytest.mark.parametrize(
    "text",
    [
        '[models.m]\ninput = "x"',
        "[models.m]\ncheap = 1",
        "[prices]\na = 1",
        "no toml",
        "[models]\nm = 1",
    ],
)
def test_a_file_that_makes_no_sense_costs_that_price_only(base: Base, text: str) -> None:
    """It is reported, and the pass goes on."""
    overrides_path(base.directory).write_text(text)
    found = load_prices(base.directory)
    assert len(found.problems) == 1
    assert index_once(base)
    assert _costs(base) == [None, None]
