"""The targets: all that are configured for a base, and what is wrong with the others.

Called by whoever queues, sends or shows. `METRICS_API_URL` makes the target `api`; the settings
file may say more of that one, and name others. Nothing is sent anywhere that is not named.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

from indexer.outbox.target import Target
from indexer.system.base import Base
from telemetry_core.event import API_TARGET

SHEETS_HOST = "script.google.com"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class Targets(NamedTuple):
    """What is configured."""

    targets: tuple[Target, ...]
    off: tuple[str, ...]
    """Names of those that are switched off."""
    problems: tuple[str, ...]
    """What makes no sense, where it stands, and what to do; no secret."""

    def named(self, name: str) -> Optional[Target]:
        """Return one target, or None."""
        return next((target for target in self.targets if target.name == name), None)


NONE = Targets((), (), ())


def load_targets(base: Base) -> Targets:
    """Return the targets of a base. Raises nothing."""
    # Imported below only where there is something to read: most bases forward nothing.
    path = base.directory / "config" / "telemetry.toml"
    if not base.config.api_url and not path.exists():
        return NONE
    from indexer.outbox.settings_file import NotUnderstood, read_tables, target_of

    tables, problems = read_tables(path)
    named: dict[str, Any] = dict(tables)
    if base.config.api_url:
        named[API_TARGET] = _with_environment(named.get(API_TARGET, {}), base)
    found, off = [], []
    for name, table in named.items():
        try:
            if _is_off(name, table, base):
                off.append(name)
            else:
                found.append(_checked(target_of(name, table, os.environ)))
        except NotUnderstood as error:
            where = "METRICS_API_URL" if name == API_TARGET and base.config.api_url else path
            problems.append(f"{where}: target {name}: {error}")
    return Targets(tuple(found), tuple(off), tuple(problems))


def _with_environment(table: Any, base: Base) -> Any:
    """Return what the file says of the API with what the environment says over it."""
    if not isinstance(table, dict):
        return table
    own = {"url": base.config.api_url}
    if host_of(base.config.api_url or "") == SHEETS_HOST:
        own["kind"] = "sheets"
    if base.config.api_token:
        own["token"] = base.config.api_token
        table = {key: value for key, value in table.items() if key != "token_env"}
    return {**table, **own}


def _is_off(name: str, table: Any, base: Base) -> bool:
    if base.config.test_mode == "mock" or (name == API_TARGET and not base.config.api_enabled):
        return True
    return isinstance(table, dict) and table.get("enabled") is False


def _checked(target: Target) -> Target:
    from indexer.outbox.settings_file import NotUnderstood

    if not _NAME.fullmatch(target.name):
        raise NotUnderstood("a name has letters, digits, `_`, `.` and `-`, 64 at most")
    if target.token is not None and not _TOKEN.fullmatch(target.token):
        raise NotUnderstood("the token has blanks or letters that no header can hold: correct it")
    if target.kind == "file":
        if not os.path.isabs(target.address):
            raise NotUnderstood("path has to be a whole one, from the root on")
        return target
    if not target.address.lower().startswith(("http://", "https://")):
        raise NotUnderstood("url is no http or https address")
    if not host_of(target.address):
        raise NotUnderstood("url names no host")
    if target.kind == "sheets" and not target.token:
        raise NotUnderstood("a target of kind sheets needs a token: see docs/google-sheets.md")
    return target


def host_of(url: str) -> str:
    """Return the host that a URL names, empty if it names none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
