"""Read the targets of the settings file, `config/telemetry.toml` in the base directory.

An invalid target is reported with what to do about it, and the others are used. No message shows a
value that may be a secret.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from indexer.outbox.target import CLICKHOUSE, Target
from telemetry_core.status import normalise_status

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = ("http", "sheets", "file", "otlp", CLICKHOUSE)
_SECTIONS = ("targets", "channels", "alerts", "heartbeat", "import", "receive", "search")
"""All but the targets are read by their own rooms."""
_FIELDS = ("known", "all")
_WORDS = {
    "str": "a string",
    "bool": "true or false",
    "float": "a number above 0",
    "int": "a whole number above 0",
    "tuple": "a list of strings",
    "dict": "a table of strings",
}
TARGET_SETTINGS = {
    "kind": str,
    "url": str,
    "path": str,
    "database": str,
    "user": str,
    "token": str,
    "token_env": str,
    "enabled": bool,
    "agents": tuple,
    "statuses": tuple,
    "fields": str,
    "content": bool,
    "headers": dict,
    "rate": float,
    "in_flight": int,
    "timeout": float,
}
"""The settings of a target and their types."""
_MOST_IN_FLIGHT = 64
FLEET_USER_VARIABLE = "TELEMETRY_FLEET_USER"
FLEET_TOKEN_VARIABLE = "TELEMETRY_FLEET_TOKEN"  # noqa: S105  # the name of a variable


class InvalidTarget(Exception):
    """A target cannot be used as it is configured. The message says why, and what to do."""


def read_document(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the whole file as it is parsed, and what is wrong with it."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        return {}, [f"{path} cannot be read: {reason}. Fix it, or delete it"]
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        return {}, [f"{path} is not valid TOML: {error}. Fix that line"]


def read_tables(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the tables below `targets`, and what is wrong with the file."""
    document, problems = read_document(path)
    problems += [
        f"{path}: unknown section {name!r}: remove it, or correct its name"
        for name in document
        if name not in _SECTIONS
    ]
    search = document.get("search", {})
    if not isinstance(search, dict) or any(
        name != "index" or type(value) is not bool for name, value in search.items()
    ):
        problems.append(f"{path}: write [search] with nothing but `index = true` or `false`")
    tables = document.get("targets", {})
    if not isinstance(tables, dict):
        return {}, [
            *problems,
            f"{path}: write `targets` as tables, as in [targets.NAME]",
        ]
    return tables, problems


def target_of(name: str, table: Any, environ: Mapping[str, str]) -> Target:
    """Read one table as a target. Raises InvalidTarget."""
    if not isinstance(table, dict):
        raise InvalidTarget(f"write it as a table, as in [targets.{name}]")
    for key, value in table.items():
        _check(key, value)
    kind = table.get("kind", "http")
    if kind not in KINDS:
        raise InvalidTarget(f"kind is {kind!r}: use one of {', '.join(KINDS)}")
    if table.get("fields", "known") not in _FIELDS:
        raise InvalidTarget(f"fields is {table['fields']!r}: use known or all")
    return Target(
        name=name,
        kind=kind,
        address=_address(kind, table),
        token=_token(table, environ),
        options=_centre(kind, table, environ),
        agents=tuple(table.get("agents", ())),
        statuses=tuple(normalise_status(status) for status in table.get("statuses", ())),
        all_fields=table.get("fields") == "all",
        content=table.get("content", False),
        headers=tuple(table.get("headers", {}).items()),
        **{key: table[key] for key in ("rate", "in_flight", "timeout") if key in table},
    )


def _check(key: str, value: Any) -> None:
    kind = TARGET_SETTINGS.get(key)
    if kind is None:
        raise InvalidTarget(f"unknown setting {key!r}: use one of {', '.join(TARGET_SETTINGS)}")
    if not _is(value, kind):
        raise InvalidTarget(f"{key} has to be {_WORDS[kind.__name__]}")
    if key == "in_flight" and value > _MOST_IN_FLIGHT:
        raise InvalidTarget(f"in_flight has to be {_MOST_IN_FLIGHT} at most")


def _is(value: Any, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind is dict:
        return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    if kind in (int, float):
        numbers = (int,) if kind is int else (int, float)
        return type(value) in numbers and 0 < value < float("inf")
    return type(value) is kind


def _address(kind: str, table: Mapping[str, Any]) -> str:
    key = "path" if kind == "file" else "url"
    address = table.get(key)
    if not address:
        raise InvalidTarget(f'a target of kind {kind} needs {key} = "..."')
    return str(address)


def _centre(
    kind: str, table: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return what a target of kind clickhouse has beyond the others. Raises InvalidTarget."""
    if kind != CLICKHOUSE:
        for key in ("database", "user"):
            if key in table:
                raise InvalidTarget(f"{key} is a setting of kind {CLICKHOUSE} alone: remove it")
        return ()
    if not table.get("database"):
        raise InvalidTarget(f'a target of kind {kind} needs database = "..."')
    if "token" in table:
        raise InvalidTarget(
            "a password in the file would be in its backups: remove token, and set"
            f" {FLEET_TOKEN_VARIABLE} or token_env"
        )
    user = table.get("user") or environ.get(FLEET_USER_VARIABLE, "")
    return (("database", table["database"]), ("user", user))


def _token(table: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    variable = table.get("token_env")
    if variable is None:
        if table.get("kind") == CLICKHOUSE:
            return environ.get(FLEET_TOKEN_VARIABLE) or None
        return table.get("token")
    if "token" in table:
        raise InvalidTarget("token and token_env are both set: remove one of them")
    if not environ.get(variable):
        raise InvalidTarget(f"token_env names {variable}, which is not set: set it, or remove it")
    return environ[variable]
