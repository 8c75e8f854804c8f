"""Say which node of the fleet this base's log is.

A node is a log, not only a machine: two bases on one host are two nodes. Its identity lies beside
the log, so that it survives the loss of the database. A copy of a machine has the copy of the
identity as well: whoever finds that somebody else used it makes a new one. That costs a second
copy of the lines, and never a wrong row.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

import orjson

from indexer.fleet.schema.layout import text
from indexer.fleet.schema.tables import NODE_ROWS
from indexer.fleet.wire.client import FleetClient
from indexer.log.segments import fingerprint
from indexer.system.atomic_file import write_atomically
from indexer.system.base import Base
from telemetry_core.process import host_name

IDENTITY_FILE = ".fleet-node.json"
_MACHINE_ID = Path("/etc/machine-id")


class Identity(NamedTuple):
    """What lies beside the log."""

    node: str
    """The name of the node: the host's at first, and something that no other has."""
    host: str
    """The host's name when the node was last used."""
    machine: str
    """A hash of the machine's own id; empty where it has none."""


class Seen(NamedTuple):
    """What the centre's list of nodes has of one."""

    host: str
    shipped: int


def node_of(base: Base, client: FleetClient, shipped: int) -> Identity:
    """Return the identity of this base's log, made where there is none or it is somebody else's.

    `shipped` is the number of our own last shipment; 0 if that is not known. Raises FleetError,
    or OSError where the identity cannot be kept.
    """
    path = base.log_directory / IDENTITY_FILE
    known = _read(path)
    if known is not None and _is_ours(known, _seen(client, known.node), shipped):
        if known.host != host_name():
            _write(path, known._replace(host=host_name()))
        return known._replace(host=host_name())
    made = _new()
    _write(path, made)
    return made


def read_identity(base: Base) -> Optional[Identity]:
    """Return the identity that lies beside the log, whoever's it is; None if there is none."""
    return _read(base.log_directory / IDENTITY_FILE)


def _is_ours(known: Identity, seen: Optional[Seen], shipped: int) -> bool:
    machine = _machine()
    if known.machine and machine and known.machine != machine:
        # A copy on another machine, or the same log moved there: lines are sent once more.
        return False
    if seen is None:
        return True
    if seen.host == host_name():
        # Our last shipment, or one that a restored backup has forgotten.
        return known.host == host_name() or seen.shipped == shipped
    # The host was renamed since, if the last to ship was us; else a copy of it goes by this name.
    return seen.shipped == shipped


def _seen(client: FleetClient, node: str) -> Optional[Seen]:
    _, rows = client.select(
        f"SELECT host, shipped FROM {NODE_ROWS} FINAL WHERE node = {text(node)}"
    )
    return Seen(str(rows[0][0]), int(rows[0][1])) if rows else None


def _new() -> Identity:
    # Imported here: it is needed once in a log's life.
    import secrets

    return Identity(f"{host_name()}-{secrets.token_hex(6)}", host_name(), _machine())


def _machine() -> str:
    try:
        # Hashed: the id itself is not for others.
        return fingerprint(b"local-telemetry fleet\n" + _MACHINE_ID.read_bytes().strip())
    except OSError:
        return ""


def _read(path: Path) -> Optional[Identity]:
    try:
        value = orjson.loads(path.read_bytes())
        return Identity(str(value["node"]), str(value["host"]), str(value["machine"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _write(path: Path, identity: Identity) -> None:
    write_atomically(path, orjson.dumps(identity._asdict()))
