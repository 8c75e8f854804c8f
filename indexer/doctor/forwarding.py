"""Check forwarding: bad targets, tokens that others can read, bad proxies."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from indexer.alerts.settings.load import load_alerts
from indexer.doctor.finding import Finding, ok, warning
from indexer.doctor.open_database import reading_without_trace
from indexer.doctor.subject import Subject
from indexer.forward.failure import TransportUnavailable
from indexer.forward.transport import make_transport
from indexer.health.deliveries import filter_problems
from indexer.outbox.target import Target
from indexer.outbox.targets import load_targets
from indexer.system.base import Base
from telemetry_core.errors import TelemetryError


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every target, and at the file that names them; nothing is sent."""
    loaded = load_targets(subject.base)
    for problem in loaded.problems:
        yield warning(
            problem,
            "nothing is sent there until then; `telemetry docs forwarding` has all settings",
        )
    for target in loaded.targets:
        yield _target(target)
    for problem in _filter_problems(subject.base, loaded.targets):
        yield warning(problem, "fix the filter in config/telemetry.toml")
    if not loaded.targets and not loaded.problems:
        yield ok("no target is configured: nothing is forwarded")
    for problem in load_alerts(subject.base).problems:
        yield warning(problem, "the other rules and channels work; see `telemetry docs alerts`")
    yield from _file(subject.base.settings_path)


def _filter_problems(base: Base, targets: tuple[Target, ...]) -> list[str]:
    try:
        with reading_without_trace(base.database_path) as connection:
            return list(filter_problems(targets, connection))
    except TelemetryError:
        return list(filter_problems(targets, None))


def _target(target: Target) -> Finding:
    if target.kind != "file":
        try:
            make_transport(target)
        except TransportUnavailable as error:
            return warning(f"nothing can be sent to {target.name}: {error}", "fix the variable")
    return ok(f"runs go to {target.name}, of kind {target.kind}, at {target.shown_address}")


def _file(path: Path) -> Iterator[Finding]:
    try:
        status, text = os.stat(path), path.read_bytes()
    except OSError:
        # It does not exist, or is reported above.
        return
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "posix" and mode & 0o044 and b"token" in text:
        yield warning(f"{path} may hold a token, and others can read it", f"chmod 600 {path}")
