"""Suggest `missed` rules for all jobs of a base that have a rhythm. It only reads."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from indexer.alerts.suggest.rhythm import suggest
from indexer.alerts.times.durations import moment
from indexer.alerts.times.zones import local_zone
from indexer.store.alerts.facts import start_times
from telemetry_core.timestamp import format_time

_PERIOD = timedelta(days=90)
_RUNS = 60


class SuggestedRule(NamedTuple):
    """A rule that fits one job's history."""

    name: str
    agent: str
    job: str
    every: Optional[str]
    cron: Optional[str]
    grace: str
    runs: int
    """How many runs it is made of."""

    def as_toml(self) -> str:
        """Return the rule for the settings file."""
        schedule = f'every = "{self.every}"' if self.every else f'cron = "{self.cron}"'
        return (
            f"# from {self.runs} runs\n[[alerts]]\nname = {_quoted(self.name)}\n"
            f'kind = "missed"\nagent = {_quoted(self.agent)}\njob = {_quoted(self.job)}\n'
            f'{schedule}\ngrace = "{self.grace}"\nchannels = []  # name one\n'
        )


def suggestions(connection: sqlite3.Connection, now: datetime) -> list[SuggestedRule]:
    """Return a rule for each job with a rhythm, by agent and job."""
    zone, found = local_zone(), []
    since = format_time(now - _PERIOD)
    for (agent, job), times in start_times(connection, since, _RUNS).items():
        starts = [one.astimezone(zone) for one in map(moment, times) if one is not None]
        fitting = suggest(starts)
        if fitting is not None:
            name = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{agent}-{job}").strip("-.")[:64] or "job"
            found.append(SuggestedRule(name, agent, job, *fitting))
    return found


def _quoted(text: str) -> str:
    """Return a TOML string; JSON's escapes are TOML's too."""
    return json.dumps(text)
