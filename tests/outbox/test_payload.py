"""A function of the revision, under a key that is no other's."""

from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from indexer.ingest.fold import fold
from indexer.outbox.payload import (
    ALL_FIELDS,
    KNOWN_FIELDS,
    MAX_TEXT_CHARACTERS,
    cut,
    key_of,
    payload_of,
)
from telemetry_core.event import Event
from tests.support.database import event

_REVISING = ("run.started", "run.updated", "run.ended")
_SILENT = ("run.event", "run.delivered", "run.delivery_failed", "run.delivery_retried", "x.y")


def test_the_body_has_the_twenty_fields_that_receivers_know() -> None:
    """These names and no others, and what is null is absent."""
    row = fold(None, [event(1, "run.started", agent_name="a", website="w"), event(2, "run.ended")])
    assert len(KNOWN_FIELDS) == 20
    body = json.loads(payload_of(row, KNOWN_FIELDS))
    assert body == {
        "run_id": "run",
        "agent_name": "a",
        "status": "success",
        "duration_ms": 0,
        "start_time": "2026-01-01T00:00:00.000001Z",
        "end_time": "2026-01-01T00:00:00.000002Z",
    }
    assert json.loads(payload_of(row, ALL_FIELDS)) == {
        **body,
        "website": "w",
        "revision": 2,
        "updated_at": "2026-01-01T00:00:00.000002Z",
    }


@given(st.integers(0, 2**32))
def test_a_body_changes_with_its_revision_and_with_nothing_else(seed: int) -> None:
    """Agent's events, receipts and unknown events, before, between and after, leave it as it is."""
    rng = random.Random(seed)
    revising = [event(10, "run.started", agent_name="a"), event(20, "run.ended", status="failed")]
    revising += [event(30 + n, "run.updated", items_failed=n) for n in range(rng.randrange(3))]
    silent: list[Event] = []
    for _ in range(rng.randrange(1, 8)):
        data = {"target": rng.choice(["api", "b"]), "revision": rng.randrange(4)}
        silent.append(event(rng.randrange(1, 50) * 100 + 7, rng.choice(_SILENT), **data))
    plain = fold(None, revising)
    noisy = fold(None, sorted(revising + silent, key=lambda one: (one.time, one.id)))
    for names in (KNOWN_FIELDS, ALL_FIELDS):
        assert payload_of(noisy, names) == payload_of(plain, names)
    assert noisy["revision"] == plain["revision"]


@given(st.lists(st.tuples(st.text(max_size=300), st.integers(1, 30)), max_size=20, unique=True))
def test_a_key_is_ascii_and_belongs_to_one_revision(places: list[tuple[str, int]]) -> None:
    """Whatever an agent calls its run, the key fits into a header and is no other's."""
    keys = [
        key_of(run, number, names) for run, number in places for names in (KNOWN_FIELDS, ALL_FIELDS)
    ]
    assert len(set(keys)) == len(keys)
    assert all(key.isascii() and key.isprintable() and " " not in key for key in keys)
    assert all(len(key) < 260 for key in keys)


def test_a_payload_is_bounded_whatever_was_recorded() -> None:
    """Long texts are cut with a mark, large JSON is left out with a note, numbers stay."""
    row = fold(
        None,
        [
            event(1, "run.started", agent_name="a" * 100_000, items_failed=2**62),
            event(2, "run.ended", error_details="e" * 5_000_000, context_json={"k": "v" * 99_999}),
        ],
    )
    payload = payload_of(row, ALL_FIELDS)
    assert len(payload) < 60_000
    body = json.loads(payload)
    assert body["error_details"].endswith("... [cut: 5000000 characters]")
    assert len(body["agent_name"]) == MAX_TEXT_CHARACTERS
    assert json.loads(body["context_json"])["left_out"].endswith(" characters")
    assert body["items_failed"] == 2**62


@given(st.text(max_size=300), st.integers(60, 200))
def test_a_cut_text_fits_and_says_so(text: str, limit: int) -> None:
    """Counted in UTF-16, as receivers do; what fits is left as it is."""
    text = text + "\U0001f600" * (len(text) % 40)
    found = cut(text, limit)
    assert len(found.encode("utf-16-le", "surrogatepass")) // 2 <= limit
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= limit:
        assert found == text
    else:
        assert found.endswith(f"... [cut: {len(text)} characters]")
