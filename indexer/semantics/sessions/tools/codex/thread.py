"""Read what the first lines of a Codex session say, and where a copy in it ends.

A thread that was forked or spawned begins with a copy of its ancestors' lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from indexer.semantics.sessions.line import SessionLine
from indexer.semantics.values import iso_time, mapping, text


class Thread(NamedTuple):
    """What the first lines of a thread say of it."""

    meta: Mapping[str, Any]
    meta_time: Optional[str]
    parent: Optional[str]
    root: str
    own_from: Optional[tuple[str, int, str]]
    """The place of the first line that is not a copy, where the thread says so."""


def read_thread(lines: list[SessionLine]) -> Thread:
    """Return what the lines of a thread, in order, say of it."""
    session_id = lines[0].session_id
    own: Mapping[str, Any] = {}
    own_time: Optional[str] = None
    ancestors: list[str] = []
    for line in lines:
        if line.line.get("type") != "session_meta":
            continue
        meta = mapping(line.line.get("payload"))
        if meta.get("id") == session_id or (not own and not ancestors):
            if not own:
                own, own_time = meta, iso_time(meta.get("timestamp")) or line.time
        elif (ancestor := text(meta.get("id"))) is not None:
            ancestors.append(ancestor)
    spawn = mapping(mapping(mapping(own.get("source")).get("subagent")).get("thread_spawn"))
    parent = text(spawn.get("parent_thread_id")) or text(own.get("parent_thread_id"))
    roots = (ancestors[-1] if ancestors else None, text(own.get("session_id")), parent, session_id)
    return Thread(
        own,
        own_time,
        parent,
        next(one for one in roots if one is not None),
        _own_from(lines, own, has_copy=bool(ancestors)),
    )


def _own_from(
    lines: list[SessionLine], meta: Mapping[str, Any], *, has_copy: bool
) -> Optional[tuple[str, int, str]]:
    """Where the copy of the ancestors' lines ends: by its number, or by what the thread sets."""
    ordinal = meta.get("subagent_history_start_ordinal")
    if type(ordinal) is int:
        return next((one.place for one in lines if one.place[1] >= ordinal), ("~", 0, ""))
    if not has_copy:
        return None
    for one in lines:
        payload = mapping(one.line.get("payload"))
        is_setting = payload.get("type") == "thread_settings_applied"
        if is_setting and payload.get("thread_id") == one.session_id:
            return one.place
    return None
