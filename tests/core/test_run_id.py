from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_core.run_id import new_run_id, run_id_of

TIME = "2026-11-22T12:34:56.789012Z"


def test_a_run_id_reads_as_the_contract_says():
    """`YYYYMMDDTHHMMSSZ-<agent_name>-<hex>`."""
    assert re.fullmatch(
        r"20261122T123456Z-my_agent.v2-[0-9a-f]{24}", new_run_id("my agent.v2", TIME)
    )


def test_ids_of_one_instant_are_all_different():
    """The same agent, microsecond and machine: 100,000 ids and no collision."""
    assert len({new_run_id("a", TIME) for _ in range(100_000)}) == 100_000


def test_ids_of_one_agent_sort_by_start():
    """Also within a second."""
    times = [f"2026-11-22T12:34:{s:02d}.{u:06d}Z" for s in (1, 2) for u in (0, 9, 10, 999_999)]
    ids = [new_run_id("a", time) for time in times]
    assert ids == sorted(ids)


@given(st.text(st.characters()))
def test_any_agent_name_gives_a_plain_id(name):
    """Short, ASCII, without slashes, spaces or control characters."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{41,140}", new_run_id(name, TIME))


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [
        ("mine", "mine"),
        ("sp ace/and\nnewline", "sp ace/and\nnewline"),
        ("grüße", "grüße"),
        (7, "7"),
        (None, "unknown"),
        ("", "unknown"),
        ("a\0b", "a\\0b"),
        ("a\ud800", "a\\ud800"),
        ("x" * 5_000, "x" * 1_000),
    ],
)
def test_a_given_id_is_kept_as_far_as_it_can_stand_anywhere(given_id, kept):
    """In an event, a table and an environment variable; and the same id gives the same."""
    assert run_id_of(given_id) == kept
    assert run_id_of(kept) == kept


def test_each_part_of_a_run_id_stands_where_it_should(monkeypatch):
    """The second, the name, five digits of the microsecond and nineteen of chance."""
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(1, count + 1)))
    assert new_run_id("a", TIME) == "20261122T123456Z-a-c0a140102030405060708090"


@pytest.mark.parametrize(
    ("name", "kept"), [("", "agent"), ("x" * 81, "x" * 80), ("a / b", "a_b"), ("/", "_")]
)
def test_a_name_is_cut_and_made_plain(name, kept):
    """What is unsafe in a file name or a shell becomes one underscore."""
    assert new_run_id(name, TIME).split("-", 1)[1].rpartition("-")[0] == kept
