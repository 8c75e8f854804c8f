"""Find out which days the centre still keeps."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Optional

from indexer.fleet.schema.layout import in_list, text
from indexer.fleet.schema.tables import LOG_LINES
from indexer.fleet.wire.client import FleetClient

_DAYS = re.compile(r"TTL day \+ toIntervalDay\((\d+)\)")


def first_day_kept(client: FleetClient) -> Optional[date]:
    """Return the first day that is certainly kept whole; None if all are. Raises FleetError."""
    names = in_list((LOG_LINES, f"{LOG_LINES}_local"))
    _, rows = client.select(
        "SELECT create_table_query FROM system.tables"
        f" WHERE database = {text(client.address.database)} AND name IN ({names})"
    )
    found = [int(days) for row in rows for days in _DAYS.findall(row[0])]
    if not found:
        return None
    # A day more: the server's midnight may be another.
    return datetime.now(timezone.utc).date() - timedelta(days=min(found) - 1)
