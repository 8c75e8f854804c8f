"""Read `[heartbeat]`: where the daemon says that it works, so that the machine is watched."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from indexer.alerts.settings.channels import InvalidChannel, http_url, with_environment
from telemetry_core.duration import parse_duration

HEARTBEAT_SETTINGS = ("url", "every")


class HeartbeatSettings(NamedTuple):
    """An address that is fetched at an interval."""

    url: str
    every: timedelta


def heartbeat_of(table: Any, environ: Mapping[str, str]) -> HeartbeatSettings:
    """Read the table. Raises InvalidChannel."""
    if not isinstance(table, dict):
        raise InvalidChannel("write it as a table, as in [heartbeat]")
    given = with_environment(table, environ)
    unknown = given.keys() - set(HEARTBEAT_SETTINGS)
    if unknown:
        raise InvalidChannel(f"unknown setting {min(unknown)!r}; known: url, every")
    try:
        every = parse_duration(str(given.get("every", "1m")))
    except ValueError as error:
        raise InvalidChannel(f"every: {error}") from None
    if every < timedelta(seconds=10):
        raise InvalidChannel("every has to be at least 10s")
    return HeartbeatSettings(http_url(given), every)
