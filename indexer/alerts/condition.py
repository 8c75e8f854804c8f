"""Something that a rule finds to be the case now. It holds data only."""

from __future__ import annotations

from typing import NamedTuple, Optional


class Condition(NamedTuple):
    """One subject of which a rule finds something, with what was measured."""

    subject: str
    """What it is about: an agent and job, a run, a day. One alert is open per subject."""
    measured: str
    """What was measured, in words."""
    limit: str
    """What the rule asks for, in words."""
    occurrence: str = ""
    """Tells this time from others of the subject; empty where being open is all there is."""
    is_once: bool = False
    """Whether it happened, and does not end: it fires once and is never resolved."""
    time: str = ""
    """When it happened, for what happens once; canonical UTC. Empty for now."""
    run_id: Optional[str] = None
    """The run to look at."""
    error: Optional[str] = None
    """The error of that run."""
    span: Optional[str] = None
    """The span that failed last, or that a run is in."""
    level: str = ""
    """Overrides the level of the rule."""


def subject_of(agent: Optional[str], job: Optional[str]) -> str:
    """Return an agent and its job as a subject."""
    return f"{agent or '(no agent)'} / {job or '(no job)'}"
