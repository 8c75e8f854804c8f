"""Read one `[channels.NAME]` table as a target of the forwarder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from indexer.outbox.target import Target
from indexer.outbox.targets import host_of

CHANNEL_SETTINGS: dict[str, tuple[str, ...]] = {
    "webhook": ("url", "token", "headers"),
    "slack": ("url",),
    "discord": ("url",),
    "ntfy": ("url", "token"),
    "email": ("url", "user", "password", "sender", "to"),
    "command": ("command",),
    "desktop": (),
    "apprise": ("url",),
}
"""The settings of each kind of channel, besides `kind` and `timeout`."""
_SECRET = ("url", "token", "password")
"""Settings that may also name an environment variable, as in token_env."""
_RATE = 1.0
_HTTP = ("webhook", "slack", "discord", "ntfy")
_TIMEOUT = 30.0


class InvalidChannel(Exception):
    """A channel cannot be used as it is configured. The message says why, and what to do."""


def channel_of(name: str, table: Any, environ: Mapping[str, str]) -> Target:
    """Read one table as a target of this name. Raises InvalidChannel."""
    if not isinstance(table, dict):
        raise InvalidChannel("write it as a table, as in [channels.NAME]")
    kind = table.get("kind")
    if kind not in CHANNEL_SETTINGS:
        raise InvalidChannel(f"kind is {kind!r}: use one of {', '.join(CHANNEL_SETTINGS)}")
    given = with_environment(table, environ)
    unknown = given.keys() - {"kind", "timeout", *CHANNEL_SETTINGS[kind]}
    if unknown:
        known = ", ".join((*CHANNEL_SETTINGS[kind], "timeout"))
        raise InvalidChannel(f"unknown setting {min(unknown)!r} of kind {kind}; known: {known}")
    timeout = given.get("timeout", _TIMEOUT)
    if type(timeout) not in (int, float) or not 0 < timeout <= 600:
        raise InvalidChannel("timeout has to be a number of seconds, 600 at most")
    return Target(
        name,
        "http" if kind == "webhook" else kind,
        _address(kind, given),
        _text(given, "token", "") or None,
        headers=_headers(given.get("headers", {})),
        options=_options(kind, given),
        rate=_RATE,
        in_flight=1,
        timeout=float(timeout),
    )


def with_environment(table: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return a table with its `..._env` settings replaced by what they name.

    Raises InvalidChannel.
    """
    values = dict(table)
    for key in _SECRET:
        variable = values.pop(f"{key}_env", None)
        if variable is None:
            continue
        if key in values:
            raise InvalidChannel(f"{key} and {key}_env are both set: remove one of them")
        if not isinstance(variable, str) or not environ.get(variable):
            raise InvalidChannel(f"{key}_env names a variable that is not set: set it")
        values[key] = environ[variable]
    return values


def http_url(values: Mapping[str, Any]) -> str:
    """Return the setting `url` where it is an HTTP address. Raises InvalidChannel."""
    url = _text(values, "url")
    if (
        not url.lower().startswith(("http://", "https://"))
        or not host_of(url)
        or url != url.strip()
    ):
        raise InvalidChannel("url is not an http or https address")
    return url


def _address(kind: str, given: Mapping[str, Any]) -> str:
    if kind in _HTTP:
        return http_url(given)
    if kind == "email":
        url = _text(given, "url")
        if not url.startswith(("smtp://", "smtps://")) or not host_of(url):
            raise InvalidChannel("url is not like smtp://mail.example.com:587, or smtps://")
        return url
    if kind == "command":
        return shlex.join(_texts(given, "command"))
    return _text(given, "url") if kind == "apprise" else ""


def _options(kind: str, given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if kind != "email":
        return ()
    values = {
        "to": ", ".join(_texts(given, "to")),
        "sender": _text(given, "sender"),
        "user": _text(given, "user", ""),
        "password": _text(given, "password", ""),
    }
    if any(one in value for value in values.values() for one in "\r\n"):
        raise InvalidChannel("a setting contains a line break: remove it")
    return tuple(values.items())


def _text(given: Mapping[str, Any], key: str, default: str = "?") -> str:
    value = given.get(key, default)
    if not isinstance(value, str) or value == "?":
        raise InvalidChannel(f'it needs {key} = "..."')
    return value


def _texts(given: Mapping[str, Any], key: str) -> list[str]:
    value = given.get(key)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise InvalidChannel(f'it needs {key} = ["...", "..."]')
    return values


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise InvalidChannel("headers has to be a table of strings")
    return tuple(value.items())
