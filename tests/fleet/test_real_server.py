"""A smoke test against a real server: what an engine in a process cannot show.

Of a server of 2018, which Debian packages, only the wire is asked: rows, errors and credentials.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from indexer.fleet.errors import FleetError, FleetNotReady, FleetRefused, FleetRequestInvalid
from indexer.fleet.schema.layout import Layout, quoted
from indexer.fleet.schema.tables import EVENTS, LINES, METRICS, NODES, SPANS, Table
from indexer.fleet.setup import create_centre
from indexer.fleet.wire import client as wire
from indexer.fleet.wire.client import FleetClient
from indexer.fleet.wire.native import Row, encode_columns
from indexer.fleet.wire.squeeze import GZIP
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.centre import configure
from tests.support.cli import in_process
from tests.support.real_server import NoServer, RealServer, real_server
from tests.support.rowbinary import encode_rows

_NOT_IN_2018 = ("async_insert", "async_insert_deduplicate", "wait_for_async_insert")
_DAY = date(2026, 11, 22)
_BYTES = bytes(range(256)) * 4_096
ROWS: dict[Table, list[Row]] = {
    LINES: [
        ("n", 2**64 - 1, "", _DAY, number, 4, 5, line)
        for number, line in enumerate(
            (b"", b"\n", b"\x00\xff\xc3\x28'\\\t", "é\u2028".encode(), _BYTES)
        )
    ],
    EVENTS: [
        ("r", "1", "c", "m", "", "", "run.event", "h/1", None, "", -1, 2, 3, "n", 4, _DAY),
        (
            "r",
            "2",
            "c",
            "m",
            "",
            "",
            "run.event",
            "h/1",
            '{"a":"\u0000"}',
            None,
            1,
            2,
            3,
            "n",
            4,
            _DAY,
        ),
    ],
    SPANS: [("r", "s", 1, 2, "n", _DAY, 1, "c", ["a", "", "it's"], "{}")],
    METRICS: [
        ("r", "loss", "t", "1", 1, 2, "n", _DAY, None, 0.1),
        ("r", "loss", "t", "2", 1, 2, "n", _DAY, 2.0, float("-inf")),
    ],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The server."""
    try:
        with real_server(tmp_path_factory.mktemp("server")) as server:
            yield server
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture
def database(server: RealServer) -> Iterator[str]:
    """An empty database there, of its own."""
    name = f"telemetry_test_{secrets.token_hex(6)}"
    server.ask(f"CREATE DATABASE {name}")
    yield name
    server.ask(f"DROP DATABASE {name}")


@pytest.fixture
def client(
    server: RealServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FleetClient]:
    """The project's client for it, less the settings that a server of 2018 does not know."""
    for setting in () if server.is_whole else _NOT_IN_2018:
        monkeypatch.delitem(wire._ALWAYS, setting)
    if not server.is_whole:
        monkeypatch.setattr(wire, "best_squeezer", lambda: GZIP)
    with FleetClient(server.address(database)) as client:
        yield client


@pytest.fixture
def whole(server: RealServer) -> RealServer:
    """The server, if it knows all that the project asks."""
    if not server.is_whole:
        pytest.skip(f"the server is ClickHouse {server.version}, of which only the wire is asked")
    return server


@pytest.mark.parametrize("table", ROWS, ids=lambda table: table.name)
def test_rows_of_any_bytes_are_there_as_they_were_sent(
    server: RealServer, client: FleetClient, table: Table
) -> None:
    """Squeezed as the server knows it; read back without the project's client."""
    _create_plainly(server, client, table)
    client.insert(table, ROWS[table])
    columns, key = (", ".join(map(quoted, names)) for names in (_names(table), table.key))
    stored = f"SELECT {columns} FROM {client.address.database}.{table.name} ORDER BY {key}"
    assert server.ask(f"{stored} FORMAT RowBinary") == encode_rows(table, ROWS[table])


def test_a_batch_that_is_cut_short_is_refused_whole(
    server: RealServer, client: FleetClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by an encoder that is wrong: none of its rows is stored."""
    _create_plainly(server, client, NODES)
    monkeypatch.setattr(wire, "encode_columns", lambda *given: encode_columns(*given)[:-7])
    with pytest.raises(FleetError) as caught:
        client.insert(NODES, [("n", "t", 7, "h", "2.0", 0)])
    assert not server.is_whole or type(caught.value) is FleetRequestInvalid
    assert server.ask(f"SELECT count() FROM {client.address.database}.{NODES.name}") == b"0\n"


def test_who_is_not_let_in_is_told_so_without_the_password(
    server: RealServer, client: FleetClient
) -> None:
    """Whichever status the version has for it."""
    secret = f"wrong-{secrets.token_hex()}"
    wrong = server.address(client.address.database, secret)
    with FleetClient(wrong) as stranger, pytest.raises(FleetRefused) as caught:
        stranger.run("SELECT 1")
    assert secret not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM nothing", 60),
        ("SELECT * FROM nowhere.nothing", 81),
        ("SELEC 1", 62),
    ],
)
def test_an_error_is_known_by_the_servers_code(
    server: RealServer, client: FleetClient, sql: str, code: int
) -> None:
    """What is not there is for `fleet init`; a server that gives no code does not understand us."""
    with pytest.raises(FleetError) as caught:
        client.run(sql)
    is_missing = server.is_whole and code in (60, 81)
    assert type(caught.value) is (FleetNotReady if is_missing else FleetRequestInvalid)
    assert caught.value.code == (code if server.is_whole else 0)


def test_a_server_that_is_too_old_is_refused_before_anything_is_created(
    server: RealServer, database: str
) -> None:
    """It does not know the first request's settings; nothing is half done."""
    if server.is_whole:
        pytest.skip(f"the server is ClickHouse {server.version}, which is not too old")
    with FleetClient(server.address(database)) as client, pytest.raises(FleetRequestInvalid):
        create_centre(client, Layout(database))
    assert server.ask(f"SHOW TABLES FROM {database}") == b""


def test_what_is_gathered_by_the_server_is_stored_when_it_is_acknowledged(
    whole: RealServer, client: FleetClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks at once sees it, and whoever sends what cannot be stored is told."""
    _create_plainly(whole, client, NODES)
    client.gathers = True
    for number in range(20):
        client.insert(NODES, [(f"n{number}", "t", 7, "h", "2.0", 0)])
        assert client.select(f"SELECT count() FROM {NODES.name}")[1] == [[number + 1]]
    monkeypatch.setattr(wire, "encode_columns", lambda *given: encode_columns(*given)[:-7])
    with pytest.raises(FleetError):
        client.insert(NODES, [("n", "t", 7, "h", "2.0", 0)])
    assert client.select(f"SELECT count() FROM {NODES.name}")[1] == [[20]]


@pytest.mark.parametrize("value", ["it's\t\n\\", "\x00\u2028é", "", "{text:String}"])
def test_a_parameter_is_the_value_that_was_given(
    whole: RealServer, client: FleetClient, value: str
) -> None:
    """Alone and in a list."""
    sql = "SELECT {text:String}, {texts:Array(String)}, {number:UInt64}"
    parameters = {"text": value, "texts": [value, "x"], "number": 7}
    assert client.select(sql, parameters)[1] == [[value, [value, "x"], 7]]


def test_a_host_ships_and_the_centre_has_and_answers_everything(
    whole: RealServer, database: str, tmp_path: Path
) -> None:
    """By the commands of docs/fleet.md, twice; between, the host forgets what it has shipped."""
    credentials = {
        "TELEMETRY_FLEET_USER": whole.user,
        "TELEMETRY_FLEET_TOKEN": whole.password,
    }

    def told(*arguments: str) -> str:
        ran = in_process(tmp_path, *arguments, **credentials)
        assert ran.code == 0, ran
        assert whole.password not in ran.out + ran.err
        return ran.out

    telemetry = TelemetryClient(TelemetryConfig.for_base(tmp_path))
    with telemetry.track_run("crawler", "nightly") as run, run.span("page"):
        run.log_event("odd", {"text": "\x00\u2028'\\"})
        run.log_metrics({"loss": 0.5}, step=1)
    configure(tmp_path, whole.address(database))
    for _ in range(2):
        told("fleet", "init", "--url", whole.url, "--database", database)
        told("forward")
        (tmp_path / "db/fleet-fleet.json").unlink()
    told("fleet", "verify")
    assert json.loads(told("--fleet", "show", "latest", "--json"))["run"]["run_id"] == run.run_id


def _names(table: Table) -> list[str]:
    return [column.name for column in table.sent]


def _create_plainly(server: RealServer, client: FleetClient, table: Table) -> None:
    """Make the part of a table that hosts send, in words that old servers know too."""
    columns = ", ".join(f"{quoted(one.name)} {one.type}" for one in table.sent)
    settings = {} if server.is_whole else {"allow_experimental_low_cardinality_type": "1"}
    client.run(
        f"CREATE TABLE {table.name} ({columns}) ENGINE = MergeTree"
        f" ORDER BY ({', '.join(map(quoted, table.key))})",
        **settings,
    )
