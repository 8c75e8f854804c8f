"""`telemetry sql --fleet` asks the centre in its own SQL, read-only and within limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.fleet.errors import FleetQueryFailed, FleetRefused, FleetUnreachable
from indexer.fleet.schema.tables import NODES
from indexer.fleet.wire.query_error import of_query
from tests.support.centre import configure
from tests.support.cli import Cli, Ran
from tests.support.clickhouse import Centre

pytestmark = pytest.mark.needs("clickhouse")

SECRET = "hunter2-of-the-fleet"
_ROW = ("node-1", "2026-11-22T12:00:00Z", 7, "host-é", "2.0", 0)


class Asker:
    """Somebody with a query."""

    def __init__(self, cli: Cli, centre: Centre) -> None:
        self._cli = cli
        self.centre = centre

    def __call__(self, query: str, *options: str) -> Ran:
        return self._cli("sql", "--fleet", *options, query)


@pytest.fixture
def ask(centre: Centre, base: Path, capsys) -> Iterator[Asker]:
    """The command line of a base that names a centre with one node."""
    configure(base, centre.address)
    centre.client.insert(NODES, [_ROW])
    return Asker(Cli(base, capsys), centre)


def test_rows_come_in_every_form(ask: Asker) -> None:
    """As of this host's database; arrays are JSON."""
    query = "SELECT host, shipped, [1, 2] AS list, NULL AS none FROM node_rows FINAL"
    assert ask(query).out == 'host,shipped,list,none\nhost-é,7,"[1,2]",\n'
    expected = {"host": "host-é", "shipped": 7, "list": [1, 2], "none": None}
    assert ask(query, "--json").json == [expected]
    assert ask(query, "--format", "ndjson").json == expected
    assert "host-é  7        [1,2]" in ask(query, "--format", "table").out
    assert ask("SELECT 1 AS a WHERE 0;\n", "--json").out == "[]\n"


def test_two_columns_of_one_name_are_both_there(ask: Asker) -> None:
    """Each under a name of its own."""
    row = ask("SELECT host, host FROM node_rows FINAL", "--json").json[0]
    assert row == {"host": "host-é", "host_2": "host-é"}


def test_bytes_that_are_no_text_cost_no_answer(ask: Asker) -> None:
    """They are shown as what they cannot be."""
    assert ask("SELECT unhex('41ff') AS b", "--json").json == [{"b": "A\ufffd"}]


def test_tables_and_columns_are_listed(ask: Asker) -> None:
    """Under the words that work for this host's database."""
    tables = ask(".tables").out.splitlines()
    assert {"view,agent_runs", "table,node_rows"} <= set(tables)
    assert "agent_runs,run_id,String" in ask(".schema").out.splitlines()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE node_rows",
        "TRUNCATE TABLE node_rows",
        "ALTER TABLE node_rows DELETE WHERE 1",
        "CREATE TABLE made (a Int8) ENGINE = Memory",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
    ],
)
def test_nothing_can_be_changed(statement: str, ask: Asker) -> None:
    """Neither rows nor tables nor the limits of the query itself."""
    ran = ask(statement)
    assert ran.code == 1
    assert "readonly mode" in ran.err
    assert ask.centre.value("SELECT count() FROM node_rows FINAL") == 1
    assert ask.centre.value("SELECT count() FROM system.tables WHERE name = 'made'") == 0


@pytest.mark.parametrize(
    ("query", "words", "hint"),
    [
        ("SELEC 1", "Syntax error", ""),
        ("SELECT nothing FROM agent_runs", "Unknown expression identifier `nothing`", ".schema"),
        ("SELECT * FROM nowhere", "nowhere", ".schema"),
        ("SELECT number FROM numbers(2000000)", "Limit for result exceeded", "LIMIT"),
        ("SELECT throwIf(1, 'said by the server')", "said by the server", ""),
        (" ; ", "there is no query in it", ""),
    ],
)
def test_what_the_server_says_of_a_query_is_shown(
    query: str, words: str, hint: str, ask: Asker
) -> None:
    """In its words, with the fleet that said it, and what to do."""
    ran = ask(query)
    assert (ran.code, ran.out) == (1, "")
    assert f"fleet fleet at 127.0.0.1:{ask.centre.server.port}: " in ran.err
    assert words in ran.err
    assert hint in ran.err
    assert "DB::Exception" not in ran.err


def test_a_result_that_grows_on_the_way_is_cut_off(ask: Asker, monkeypatch) -> None:
    """The server counts a repeated value once; what arrives is counted as well."""
    monkeypatch.setattr("indexer.fleet.reading.query.MOST_BYTES", 1_000_000)
    ran = ask("SELECT repeat('x', 1000) FROM numbers(2000)")
    assert (ran.code, ran.out) == (1, "")
    assert "more than 1 MB" in ran.err
    assert "LIMIT" in ran.err


def test_a_query_ends_when_its_time_is_over(ask: Asker) -> None:
    """In the centre too, which is told how long it may take."""
    ran = ask(
        "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", "--timeout", "0.5"
    )
    assert ran.code == 1
    assert "--timeout" in ran.err


def test_an_account_that_is_read_only_by_itself_is_asked_in_its_way(ask: Asker) -> None:
    """Such one may not set what it is: the request says the other of the two words for it."""
    text = "Code: 164. DB::Exception: Cannot modify 'readonly' setting in readonly mode. (READONLY)"
    assert of_query(_error(164), text.encode(), None).code == 164
    refusal = ("readonly by profile", "SELECT 1")
    ask.centre.server.plan(refusal, refusal)
    assert ask("SELECT 1 AS a").out == "a\n1\n"


def test_no_answer_of_the_server_gives_the_password_away() -> None:
    """Whatever it repeats; and of who may sign in, nothing is repeated at all."""
    answer = f"Code: 62. DB::Exception: at '{SECRET}'. (SYNTAX_ERROR) (version 26.9)".encode()
    failed = of_query(_error(62), answer, SECRET)
    assert isinstance(failed, FleetQueryFailed)
    assert SECRET not in str(failed)
    assert "at '***'" in str(failed)
    refused = FleetRefused("the centre refuses access")
    refused.code = 516
    assert of_query(refused, answer, None) is refused
    cut = FleetUnreachable("the centre cannot be reached")
    assert of_query(cut, answer, None) is cut


def _error(code: int) -> FleetUnreachable:
    error = FleetUnreachable("the centre answered with an error")
    error.code = code
    return error
