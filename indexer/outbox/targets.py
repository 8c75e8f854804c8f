"""Load the targets that are configured for a base directory, and what is wrong with the others.

`METRICS_API_URL` configures the target `api`; the settings file may say more about that one, and
configure others. Nothing is sent to an address that is not configured.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from indexer.system.base import Base
from telemetry_core.event import API_TARGET

if TYPE_CHECKING:
    from indexer.outbox.target import Target

SHEETS_HOST = "script.google.com"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]")


class Targets(NamedTuple):
    """What is configured."""

    targets: tuple[Target, ...]
    """Those that get finished runs, by the outbox."""
    off: tuple[str, ...]
    """Names of targets that are switched off."""
    problems: tuple[str, ...]
    """Targets that cannot be used: where each is configured, what is wrong, and what to do."""
    centres: tuple[Target, ...] = ()
    """Those of kind clickhouse, which get lines and rows by cursor over the log."""

    def named(self, name: str) -> Optional[Target]:
        """Return the target of a name, or None."""
        both = (*self.targets, *self.centres)
        return next((target for target in both if target.name == name), None)


NONE = Targets((), (), ())


def load_targets(base: Base) -> Targets:
    """Return the targets of a base directory. Raises nothing."""
    # Imported below only where there is something to read: most users forward nothing.
    path = base.settings_path
    if not base.config.api_url and not path.exists():
        return NONE
    from indexer.outbox.settings_file import InvalidTarget, read_tables, target_of
    from indexer.outbox.target import CLICKHOUSE

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
        except InvalidTarget as error:
            where = "METRICS_API_URL" if name == API_TARGET and base.config.api_url else path
            problems.append(f"{where}: target {name}: {error}")
    centres = tuple(one for one in found if one.kind == CLICKHOUSE)
    targets = tuple(one for one in found if one.kind != CLICKHOUSE)
    return Targets(targets, tuple(off), tuple(problems), centres)


def host_of(url: str) -> str:
    """Return the host that a URL names, empty if it names none."""
    # Imported here: it is large, and most bases name no URL.
    from urllib.parse import urlsplit

    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _with_environment(table: Any, base: Base) -> Any:
    """Return what the file says about the API, overridden by the environment."""
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
    from indexer.outbox.settings_file import InvalidTarget

    if not _NAME.fullmatch(target.name):
        raise InvalidTarget("use letters, digits, `_`, `.` and `-` in a name, 64 at most")
    if target.token is not None:
        _check_token(target.token)
    for name, value in target.headers:
        _check_header(name, value)
    if target.kind == "file":
        _check_path(target.address)
    else:
        _check_url(target.address)
    if target.kind == "sheets" and not target.token:
        raise InvalidTarget("a target of kind sheets needs a token: see docs/google-sheets.md")
    return target


def _check_token(token: str) -> None:
    from indexer.outbox.settings_file import InvalidTarget

    if token != token.strip():
        raise InvalidTarget(
            "the token begins or ends with whitespace (a carriage return, if it comes from a"
            " Windows file): remove it"
        )
    if not _TOKEN.fullmatch(token):
        raise InvalidTarget("the token has characters that no header can carry: fix it")


def _check_header(name: str, value: str) -> None:
    from indexer.outbox.settings_file import InvalidTarget

    if not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
        raise InvalidTarget("headers has a name or value that no header can carry: fix it")
    if value != value.strip():
        raise InvalidTarget("a value of headers begins or ends with whitespace: remove it")


def _check_path(path: str) -> None:
    from indexer.outbox.settings_file import InvalidTarget

    if path != path.strip():
        raise InvalidTarget("path begins or ends with whitespace: remove it")
    if not os.path.isabs(path):
        raise InvalidTarget("path has to be absolute")


def _check_url(url: str) -> None:
    from indexer.outbox.settings_file import InvalidTarget

    if _BLANKS.search(url):
        raise InvalidTarget(
            "url contains whitespace (a carriage return, if it comes from a Windows file):"
            " remove it"
        )
    if not url.lower().startswith(("http://", "https://")):
        raise InvalidTarget("url is not an http or https address")
    if not host_of(url):
        raise InvalidTarget("url names no host")
