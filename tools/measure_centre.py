"""Measure what many hosts cost their centre: merges, by how many rows an insert has, and questions.

Run from a checkout with the extra `fleet-test`. It takes some minutes; the figures are in
docs/fleet-operations.md.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.fleet.schema.tables import EVENTS
from indexer.fleet.shipping.question import ask_about_runs
from indexer.fleet.wire.client import FleetClient
from indexer.fleet.wire.native import Row
from tools.performance.fleet_server import FleetServer

_INSERTS = {20: 1_500, 200: 500, 2_000: 100}
"""How many inserts of so many rows."""
_QUIET_SECONDS = 5.0
_QUESTIONS = 200
_NODES = 100


class Merges(NamedTuple):
    """What the server counted."""

    inserted: int
    """Rows that came in."""
    merged: int
    """Rows that merges wrote."""
    milliseconds: int
    """That merges took."""
    merges: int


def main() -> None:
    """Print a line for each size of inserts, and how long a question about a run takes."""
    with tempfile.TemporaryDirectory() as directory:
        server = FleetServer(Path(directory) / "server")
        try:
            for rows, inserts in _INSERTS.items():
                with FleetClient(server.create(f"merges_{rows}")) as client:
                    print(_in_words(rows, _measured(client, rows, inserts)), flush=True)
                    if rows == max(_INSERTS):
                        print(_questions(client))
        finally:
            server.kill()


def _measured(client: FleetClient, rows: int, inserts: int) -> Merges:
    before = _counted(client)
    for number in range(inserts):
        client.insert(EVENTS, [_event(number, place) for place in range(rows)])
    after = _counted(client)
    while True:
        time.sleep(_QUIET_SECONDS)
        now = _counted(client)
        if now == after:
            return Merges(*(late - early for early, late in zip(before, after)))
        after = now


def _counted(client: FleetClient) -> Merges:
    names = ("InsertedRows", "MergedRows", "MergeTotalMilliseconds", "Merge")
    known = dict(client.select("SELECT event, value FROM system.events")[1])
    return Merges(*(int(known.get(name, 0)) for name in names))


def _event(number: int, place: int) -> Row:
    """An event of a run that many hosts might have written at this time."""
    node, own = f"node-{number % _NODES}", secrets.token_hex
    said = ("page", "2026-11-22T12:00:00.000000Z", "run.event", f"{node}/123")
    payload = f'{{"number": {place}, "url": "/x/{own(10)}"}}'
    where = (number, place * 300, 300, node, number % _NODES, date(2026, 11, 22))
    return (f"run-{own(8)}", own(16), own(8), own(8), *said, payload, None, *where)


def _questions(client: FleetClient) -> str:
    """Say how long it takes to ask which hosts have a run, beside a question without rows."""
    found = client.select(f"SELECT DISTINCT run_id FROM {EVENTS.name} LIMIT {_QUESTIONS}")[1]
    begun = time.perf_counter()
    for (run_id,) in found:
        ask_about_runs(client, [run_id])
    asked = time.perf_counter()
    for _ in found:
        client.select("SELECT 1")
    empty = time.perf_counter() - asked
    each = 1_000 / len(found)
    return (
        f"a question about a run: {(asked - begun) * each:.1f} ms; an empty one {empty * each:.1f}"
    )


def _in_words(rows: int, found: Merges) -> str:
    again = found.merged / found.inserted
    cost = 1_000 * found.milliseconds / max(1, found.merged)
    return (
        f"{rows:5,} rows in an insert: each written again {again:.1f} times,"
        f" {cost:.1f} us a time, {found.merges:,} merges"
    )


if __name__ == "__main__":
    main()
