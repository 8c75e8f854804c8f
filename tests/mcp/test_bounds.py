"""Answers are small, marked and free of control characters, whatever was recorded."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.mcp.bounds import MAX_BYTES, NOTICE, answer

_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(_VALUES, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_value_gives_a_bounded_answer(rows: list[object]) -> None:
    """It is JSON, and has no control character but line breaks and tabs."""
    found = answer(rows=rows)
    text = json.dumps(found, allow_nan=False)
    assert found["notice"] == NOTICE
    assert len(text) < 10 * MAX_BYTES
    for one in json.dumps(found, ensure_ascii=False).replace("\\n", ""):
        assert one.isprintable() or one in "\n\t"


def test_what_does_not_fit_is_left_out_and_counted() -> None:
    """The rows that are there are whole; the answer says how many are not."""
    found = answer(rows=[{"text": "x" * 1_000, "number": n} for n in range(1_000)])
    kept = found["data"]["rows"]
    assert len(json.dumps(found)) < MAX_BYTES * 1.2
    assert [row["number"] for row in kept] == list(range(len(kept)))
    assert found["left_out"].startswith(f"{1_000 - len(kept)} entries")
