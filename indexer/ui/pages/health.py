"""`/health`: what is wrong, in order of weight, each with the command that mends it.

Called by the application. The same findings as `telemetry status`.
"""

from __future__ import annotations

from typing import Any, Optional

from indexer.terminal.format import count, duration, many, size
from indexer.ui.pages.failure import Said, message
from indexer.ui.queries.alerts import firing_alerts
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, html, json

_PATIENCE = 2.0
_OF_A_HOST = Said(
    200,
    "Health",
    "Health is of one host, and this is the page of a fleet.",
    'On a host, `telemetry status` and the page of `telemetry ui` have it. The query "Hosts that'
    ' ship" on the page SQL says when each has shipped.',
)


def health(site: Site, asked: Asked) -> Reply:
    """Return the page of health."""
    if site.is_fleet and asked.form == "html":
        return message(site, asked, _OF_A_HOST)
    found = site.health.latest(_PATIENCE)
    with site.readers.connection(PAGE_SECONDS) as connection:
        alerts = firing_alerts(connection)
    if asked.form == "json":
        return json(found if found is not None else {"state": "unknown", "problems": []})
    return html(
        site,
        asked,
        "health.html",
        sentence=sentence(found),
        alerts=alerts,
        found=found,
        facts=_facts(found) if found else [],
        split=_split,
    )


def sentence(found: Optional[dict[str, Any]]) -> str:
    """Return how the base is, in one sentence."""
    if found is None:
        return "The health could not be looked at: there is no database yet, or it is busy."
    problems = found["problems"]
    if problems:
        return f"{many(len(problems), 'thing')} to look after."
    if not found["daemon"]["running"]:
        return "All clear, and no indexer is running."
    return "All clear: everything recorded is readable, indexed and kept."


def _split(problem: str) -> tuple[str, str]:
    """Return a problem, and what to do about it, which stands after a colon or semicolon."""
    for mark in (
        ": run ",
        "; run ",
        ": see ",
        ": restart ",
        ": free ",
        ": correct ",
        ": make ",
        ": end ",
    ):
        what, found, todo = problem.partition(mark)
        if found:
            return what, f"{mark[2:]}{todo}"
    return problem, ""


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    daemon, growth = found["daemon"], found["growth"]
    waiting = found["backlog"]["api_posts"]
    return [
        ("indexer", f"running, process {daemon['pid']}" if daemon["running"] else "not running"),
        ("lag", f"{duration(1000 * found['lag_seconds'])}, {size(found['lag_bytes'])}"),
        ("log", f"{many(found['files'], 'segment')}, {size(found['bytes']['log'])}"),
        ("database", size(found["database_bytes"])),
        ("lines", ", ".join(f"{count(n)} {outcome}" for outcome, n in found["lines"].items())),
        ("to be forwarded", many(waiting, "run") if waiting else "nothing"),
        ("disk free", size(growth["disk_free_bytes"]) if growth["disk_free_bytes"] else "unknown"),
        ("growth", f"{size(growth['log_bytes_per_day'])} a day"),
        ("base directory", found["base"]),
    ]
