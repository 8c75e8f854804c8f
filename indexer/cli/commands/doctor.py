"""`telemetry doctor`: check the installation and the base directory.

It needs nothing but click and the standard library: the rest may be what is missing.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from indexer.cli import exit_codes
from indexer.cli.context import Settings, base_option, json_option
from indexer.cli.exit_codes import DEGRADED
from indexer.doctor.examination import examine
from indexer.doctor.finding import BAD_STATES, FAILURE, NOTE, OK, WARNING, Finding
from indexer.doctor.settings import values
from indexer.doctor.subject import Subject
from indexer.terminal.format import plain

EXAMPLES = """\b
Examples:
  telemetry doctor
  telemetry --base /data/telemetry doctor
  telemetry doctor --json | jq '.findings[] | select(.state == "failure")'
"""

_STYLES = {OK: "green", NOTE: "cyan", WARNING: "yellow", FAILURE: "red"}


@click.command("doctor", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, as_json: bool) -> int:
    """Check the installation and the base directory, and say what to do about each finding.

    Checks Python, dependencies, settings and where each comes from, directories, disk, file
    systems, SQLite, the database, the daemon, forwarding, what agents recorded, and the clock.
    Finally it writes, indexes and reads an event in a base directory of its own, which it removes;
    nothing else is changed. Exits 3 if there is a warning or a failure; notes are fine.
    """
    base = settings.base()
    subject = Subject(base, settings.environment(), settings.directory is not None)
    findings = []
    for finding in examine(subject):
        findings.append(finding)
        if not as_json:
            # As they come: the last checks take a moment.
            _print_finding(finding)
    is_degraded = any(finding.state in BAD_STATES for finding in findings)
    if as_json:
        # ASCII, so no terminal can act on it; orjson may be what is missing.
        click.echo(json.dumps(_report(subject, findings, is_degraded), indent=2))
    else:
        _print_settings(subject)
        _print_summary(findings)
    return DEGRADED if is_degraded else exit_codes.OK


def _report(subject: Subject, findings: list[Finding], is_degraded: bool) -> dict[str, Any]:
    return {
        "base": str(subject.base.directory),
        "state": "degraded" if is_degraded else "ok",
        "findings": [finding._asdict() for finding in findings],
        "settings": values(subject),
    }


def _print_finding(finding: Finding) -> None:
    state = _styled(f"{finding.state:<8}", _STYLES[finding.state])
    click.echo(f"{state} {finding.topic:<13} {plain(finding.what)}")
    if finding.todo:
        click.echo(f"{'':<8} {'':<13} -> {plain(finding.todo)}")


def _print_settings(subject: Subject) -> None:
    click.echo(f"\n{_styled('Settings', 'bold')}")
    for one in values(subject):
        shown = "none" if one["value"] is None else plain(one["value"])
        click.echo(f"{one['setting']:<26} {shown}  ({one['source']})")


def _print_summary(findings: list[Finding]) -> None:
    counts = {state: sum(finding.state == state for finding in findings) for state in _STYLES}
    click.echo()
    click.echo(", ".join(f"{number} {state}" for state, number in counts.items() if number))


def _styled(text: str, style: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, bold=True) if style == "bold" else click.style(text, fg=style)
