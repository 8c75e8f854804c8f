"""Query the alerts that are firing: what the rules of this base found and has not passed.

Called by the overview and by the page of health.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from indexer.alerts.state import read_state
from indexer.store.alerts.events import alert_events

_MOST = 50


class FiringAlert(NamedTuple):
    """One subject of one rule."""

    rule: str
    subject: str
    measured: str
    """What was measured, in the rule's words."""
    since: str
    run_id: str
    """The run that it is about, empty if it is about none."""


def firing_alerts(connection: sqlite3.Connection) -> list[FiringAlert]:
    """Return what fired and was not resolved, the newest first."""
    state = read_state(alert_events(connection))
    found = [
        FiringAlert(
            name,
            one.subject,
            str(one.item.get("measured", "")),
            one.since,
            str(one.item.get("run_id") or ""),
        )
        for name, rule in state.rules.items()
        for one in rule.open.values()
    ]
    return sorted(found, key=lambda alert: alert.since, reverse=True)[:_MOST]
