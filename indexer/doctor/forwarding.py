"""The check of forwarding: targets that make no sense, tokens that others can read, bad proxies."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from indexer.doctor.finding import Finding, ok, warning
from indexer.doctor.subject import Subject
from indexer.forward.carrier import make_carrier
from indexer.forward.failure import NoCarrier
from indexer.outbox.settings_file import settings_path
from indexer.outbox.target import Target
from indexer.outbox.targets import load_targets


def check(subject: Subject) -> Iterator[Finding]:
    """Look at every target, and at the file that names them; nothing is sent."""
    loaded = load_targets(subject.base)
    for problem in loaded.problems:
        yield warning(problem, "until then nothing goes there; docs/forwarding.md has all settings")
    for target in loaded.targets:
        yield _target(target)
    if not loaded.targets and not loaded.problems:
        yield ok("no target is configured: nothing is forwarded")
    yield from _file(settings_path(subject.base.directory))


def _target(target: Target) -> Finding:
    if target.kind != "file":
        try:
            make_carrier(target)
        except NoCarrier as error:
            return warning(f"nothing can be sent to {target.name}: {error}", "correct the variable")
    return ok(f"runs go to {target.name}, of kind {target.kind}, at {target.shown_address}")


def _file(path: Path) -> Iterator[Finding]:
    try:
        status, text = os.stat(path), path.read_bytes()
    except OSError:
        # Not there, or told of above.
        return
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "posix" and mode & 0o044 and b"token" in text:
        yield warning(f"{path} may hold a token, and others can read it", f"chmod 600 {path}")
