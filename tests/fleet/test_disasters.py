"""Whatever happens between a host and the centre, the rows are those of all hosts' events."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from indexer.fleet import node as nodes
from indexer.fleet import version
from indexer.fleet.errors import FleetError
from indexer.fleet.node import IDENTITY_FILE, read_identity
from indexer.fleet.schema.layout import Layout
from indexer.fleet.setup import create_centre
from indexer.log.segments import list_segments
from telemetry_core.line import MAX_LINE_BYTES, encode
from tests.support.centre import DAY, Fleet, Host, point_at
from tests.support.cli import Cli
from tests.support.clickhouse import Centre
from tests.support.database import event, legacy_line, lines_of

pytestmark = pytest.mark.needs("clickhouse")

_TABLES = ("event_rows", "run_rows", "span_rows", "metric_rows", "log_lines", "node_rows")
_STEPS = [f"INSERT INTO `{table}`" for table in _TABLES]


def _work(run_id: str = "run", first: int = 1) -> bytes:
    """A run with a span and a metric."""
    some = [
        event(first, "run.started", run_id)._replace(data={"agent_name": "a"}),
        event(first + 1, "span.started", run_id)._replace(data={"span_id": "s", "kind": "llm"}),
        event(first + 2, "run.metrics", run_id)._replace(data={"metrics": {"loss": 0.5}}),
        event(first + 3, "span.ended", run_id)._replace(data={"span_id": "s", "status": "ok"}),
        event(first + 4, "run.event", run_id)._replace(data={"event_type": "e", "payload": 1}),
        event(first + 5, "run.ended", run_id)._replace(data={"status": "success"}),
    ]
    return lines_of(some)


@pytest.mark.parametrize("fault", ["reset after", "reset before", "500"])
@pytest.mark.parametrize("step", [*_STEPS, "SELECT run_id"])
def test_a_request_that_fails_or_whose_answer_is_lost_is_made_again(
    step: str, fault: str, fleet: Fleet
) -> None:
    """The cursor has not moved; what was stored already is the same rows."""
    host, other = fleet.host(), fleet.host()
    other.append(encode(event(20, "run.updated")._replace(data={"items_failed": 2})))
    other.ship()
    host.append(_work())
    fleet.centre.server.plan((fault, step))
    with pytest.raises(FleetError):
        host.ship()
    assert not host.state_file.exists()
    # Where the lines are, all that was made of them is there as well.
    lines = fleet.centre.value("SELECT count() FROM log_lines")
    assert host.verified().is_equal is (lines == 7)
    host.ship()
    assert fleet.differences() == []
    assert all(one.verified().is_equal for one in fleet.hosts)


def test_half_of_a_request_that_was_too_large_is_stored_and_the_rest_later(fleet: Fleet) -> None:
    """Halved after a 413; the second half finds no server."""
    host = fleet.host()
    host.append(_work())
    insert = "INSERT INTO `event_rows`"
    fleet.centre.server.plan(("413", insert), ("pass", insert), ("reset before", insert))
    with pytest.raises(FleetError):
        host.ship()
    assert fleet.centre.value("SELECT count() FROM event_rows") == 3
    host.ship()
    assert fleet.differences() == []


def test_lost_cursors_after_a_round_that_ended_half_way_lose_no_row(fleet: Fleet) -> None:
    """The centre is asked how far it has the lines; they come after all that is made of them."""
    host = fleet.host()
    host.append(_work())
    host.ship()
    host.append(_work("second", 20))
    fleet.centre.server.plan(("reset before", "INSERT INTO `run_rows`"))
    with pytest.raises(FleetError):
        host.ship()
    shutil.rmtree(host.base.database_path.parent)
    host.ship()
    assert fleet.differences() == []


def test_a_run_that_goes_from_host_to_host_is_one_row(fleet: Fleet) -> None:
    """Started here, ended there, and gone on with by a third after all was shipped."""
    hosts = [fleet.host() for _ in range(3)]
    hosts[0].append(encode(event(1, "run.started")._replace(data={"agent_name": "a"})))
    hosts[0].ship()
    hosts[1].append(encode(event(5, "run.ended")._replace(data={"status": "failed"})))
    hosts[1].ship()
    assert fleet.centre.value("SELECT status FROM agent_runs") == "failed"
    hosts[2].append(encode(event(9, "run.updated")._replace(data={"status": "success"})))
    hosts[2].ship()
    assert fleet.centre.value("SELECT status FROM agent_runs") == "success"
    assert fleet.differences() == []
    assert all(host.verified().is_equal for host in hosts)


def test_a_segment_that_two_hosts_have_and_lines_of_any_kind(fleet: Fleet) -> None:
    """Copies, an id with three contents, an earlier product's lines twice, and what is no JSON."""
    hosts = [fleet.host() for _ in range(3)]
    old = legacy_line(record_type="run", run_id="old", status="running", start_time="2026-11-22")
    strange = [
        b"no \xff\x00 json\n",
        b"\n",
        encode(event(30, "run.updated")._replace(data={"text": "nul \x00 \u2028"})),
        b'{"nul":"\x00"}\n',
        old,
        old,
    ]
    for number, host in enumerate(hosts):
        content = encode(event(7, "run.updated")._replace(data={"items_failed": number}))
        host.append(_work(), *strange, content)
        host.ship()
    shutil.copy(
        hosts[0].base.log_directory / DAY, hosts[1].base.log_directory / "events_copy.ndjson"
    )
    for host in hosts:
        host.ship()
    assert (
        fleet.centre.value("SELECT uniqExact(event_id) FROM run_events WHERE run_id = 'run'") == 10
    )
    assert fleet.differences() == []
    assert all(host.verified().is_equal for host in hosts)


def test_a_line_of_sixteen_mib_goes_alone(fleet: Fleet) -> None:
    """And one that is longer is there with its length and its beginning."""
    host = fleet.host()
    long = encode(event(3, "run.event")._replace(data={"event_type": "e", "payload": "x" * 8}))
    filler = b"y" * (MAX_LINE_BYTES - len(long) - 8)
    host.append(_work(), long.replace(b"x" * 8, filler), b"z" * (MAX_LINE_BYTES + 10) + b"\n")
    host.append(_work("after", 40))
    host.ship()
    assert fleet.centre.value("SELECT max(length) FROM log_lines") == MAX_LINE_BYTES + 11
    assert fleet.differences() == []
    assert host.verified().is_equal


def test_a_segment_that_is_compressed_renamed_and_gone_on_with(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Late lines begin a new file of the old name, at offset 0 again."""
    host = fleet.host()
    cli = Cli(host.base.directory, capsys)
    host.append(_work(), segment="events_20200101.ndjson")
    host.append(_work("other", 20), segment="events_20200102.ndjson")
    host.ship()
    assert cli("archive", "--older-than", "1d", "--gzip").code == 0
    assert [one.is_compressed for one in list_segments(host.base.log_directory)] == [True, True]
    assert host.ship() == 0
    host.append(_work("late", 40), segment="events_20200101.ndjson")
    renamed = host.base.log_directory / "events_20200102.elsewhere-1.ndjson.gz"
    (host.base.log_directory / "events_20200102.ndjson.gz").rename(renamed)
    assert host.ship() == 6
    assert fleet.centre.value("SELECT count() FROM log_lines FINAL") == 18
    assert fleet.differences() == []
    assert host.verified().is_equal


def test_what_is_pruned_on_a_host_stays_in_the_centre(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a run has events left, whose row here is of fewer than the centre's."""
    host = fleet.host()
    host.append(_work(), segment="events_20200101.ndjson")
    host.append(encode(event(30, "run.updated")._replace(data={"items_failed": 1})))
    host.ship()
    before = Fleet(fleet.centre, fleet.directory / "before").host()
    shutil.copytree(host.base.log_directory, before.base.log_directory)
    assert Cli(host.base.directory, capsys)("prune", "--older-than", "30d", "--yes").code == 0
    late = encode(event(50, "run.updated")._replace(data={"items_failed": 5}))
    for one in (host, before):
        one.append(late)
    host.ship()
    assert fleet.differences([before.base]) == []
    assert host.verified().is_equal


def test_a_deleted_database_costs_a_question_and_no_line(fleet: Fleet) -> None:
    """The centre knows how far it has each segment; the node keeps its name."""
    host = fleet.host()
    host.append(_work())
    host.ship()
    known = read_identity(host.base)
    shutil.rmtree(host.base.database_path.parent)
    host.append(_work("new", 30))
    assert host.ship() == 6
    assert read_identity(host.base) == known
    assert fleet.centre.value("SELECT count() FROM log_lines") == 12
    assert fleet.differences() == []


@pytest.mark.parametrize("keeps_name", [False, True])
def test_a_host_that_was_restored_from_an_old_backup_ships_on(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], keeps_name: bool
) -> None:
    """It has forgotten what it shipped since, and its log ends earlier; other lines come there."""
    host = fleet.host()
    cli = Cli(host.base.directory, capsys)
    host.append(_work())
    host.ship()
    assert cli("backup", "--with-log").code == 0
    (backup,) = (host.base.directory / "backups").glob("*.tar")
    kept = backup.rename(fleet.directory / "backup.tar")
    host.append(_work("lost here", 20))
    host.ship()
    gone = fleet.host("gone")
    shutil.copytree(host.base.log_directory, gone.base.log_directory)
    identity = (host.base.log_directory / IDENTITY_FILE).read_bytes()
    shutil.rmtree(host.base.directory)
    host.base.log_directory.mkdir(parents=True)
    assert cli("restore", str(kept), "--yes").code == 0
    if keeps_name:
        (host.base.log_directory / IDENTITY_FILE).write_bytes(identity)
    host.append(_work("new", 60))
    host.ship()
    assert fleet.differences() == []
    # The centre has all lines of this host, and under the name that it kept those that it lost.
    assert host.verified().is_equal
    assert host.verified().only_there == (6 if keeps_name else 0)


def test_a_new_field_and_two_versions_of_the_software(fleet: Fleet) -> None:
    """A column that is added has its values for old rows; the newer fold's rows stay."""
    host, older = fleet.host(), fleet.host()
    host.append(_work())
    client = fleet.centre.client
    client.run("ALTER TABLE run_rows DROP COLUMN agent_name")
    with mock.patch.object(version, "FOLD_VERSION", version.FOLD_VERSION + 1):
        host.ship()
    create_centre(client, Layout(fleet.centre.address.database))
    assert fleet.centre.value("SELECT agent_name FROM agent_runs") == "a"
    older.append(_work())
    older.ship()
    newest = fleet.centre.value("SELECT version FROM run_rows FINAL")
    assert version.is_newer_fold(newest)
    assert older.verified().is_equal
    assert fleet.differences() == []


class TestNodes:
    """Whose lines these are."""

    @pytest.fixture(autouse=True)
    def _machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = tmp_path / "machine-id"
        self.machine.write_text("first")
        self.host_name = "web1"
        monkeypatch.setattr(nodes, "_MACHINE_ID", self.machine)
        monkeypatch.setattr(nodes, "host_name", lambda: self.host_name)

    def _names(self, centre: Centre) -> set[str]:
        return {row["node"] for row in centre.rows("SELECT DISTINCT node FROM log_lines")}

    def test_two_bases_on_one_machine_are_two_nodes(self, fleet: Fleet) -> None:
        """Each has its own log."""
        for number in range(2):
            host = fleet.host()
            host.append(_work(f"run {number}", 1 + 20 * number))
            host.ship()
        assert len(self._names(fleet.centre)) == 2
        assert fleet.differences() == []

    def test_a_cloned_machine_gets_a_name_of_its_own(self, fleet: Fleet) -> None:
        """Its lines are shipped once more, and no row changes."""
        host, clone = fleet.host(), fleet.host()
        host.append(_work())
        host.ship()
        shutil.copytree(host.base.directory, clone.base.directory)
        self.machine.write_text("second")
        self.host_name = "web2"
        clone.append(_work("of the clone", 30))
        clone.ship()
        self.machine.write_text("first")
        self.host_name = "web1"
        host.append(_work("of the first", 60))
        host.ship()
        assert len(self._names(fleet.centre)) == 2
        assert fleet.differences() == []
        assert all(one.verified().is_equal for one in fleet.hosts)

    def test_a_clone_without_an_id_of_its_own_is_told_by_its_host_name(self, fleet: Fleet) -> None:
        """As a container of the same image, which has no machine id at all."""
        self.machine.unlink()
        host, clone = fleet.host(), fleet.host()
        host.append(_work())
        host.ship()
        shutil.copytree(host.base.directory, clone.base.directory)
        host.append(_work("of the first", 60))
        host.ship()
        self.host_name = "web2"
        clone.append(_work("of the clone", 30))
        clone.ship()
        assert len(self._names(fleet.centre)) == 2
        assert fleet.differences() == []

    def test_a_renamed_host_stays_the_node_it_was(self, fleet: Fleet) -> None:
        """The list of nodes has its new name."""
        host = fleet.host()
        host.append(_work())
        host.ship()
        self.host_name = "renamed"
        host.append(_work("second", 30))
        host.ship()
        assert len(self._names(fleet.centre)) == 1
        assert fleet.centre.value("SELECT host FROM node_rows FINAL") == "renamed"
        assert host.verified().is_equal


def _everything(centre: Centre) -> str:
    return "\n".join(
        repr(centre.rows(f"SELECT * FROM {table}")) for table in (*_TABLES, "run_events")
    )


def test_a_redaction_reaches_the_centre(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """What was shipped with a secret is deleted there and shipped again without."""
    secret = "ghp" + "_" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3kM5"
    host = fleet.host()
    some = [
        event(1, "run.started")._replace(data={"agent_name": "a"}),
        event(2, "run.event")._replace(data={"event_type": "e", "payload": {"said": "WORD"}}),
        event(3, "run.ended")._replace(data={"status": "failed", "error_summary": "WORD"}),
    ]
    # As an agent wrote it with redaction switched off.
    host.append(lines_of(some).replace(b"WORD", secret.encode()))
    host.ship()
    assert secret in _everything(fleet.centre)
    assert Cli(host.base.directory, capsys)("redact", "--yes").code == 0
    host.ship()
    assert secret not in _everything(fleet.centre)
    assert fleet.differences() == []
    assert host.verified().is_equal


@pytest.mark.parametrize("content", [True, False])
def test_content_is_shipped_only_where_the_target_says_so(
    content: bool, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prompts, answers, arguments and results, in lines, events and rows; numbers always are."""
    private = "what only this host may know"
    host = fleet.host()
    attributes = {"gen_ai.input.messages": private, "gen_ai.usage.input_tokens": 12}
    some: list[Any] = [
        event(1, "run.started")._replace(data={"agent_name": "a", "input_summary": private}),
        event(2, "span.started")._replace(
            data={"span_id": "s", "kind": "llm", "attributes": attributes}
        ),
        event(3, "run.event")._replace(data={"event_type": "e", "payload": {"prompt": private}}),
        event(4, "run.ended")._replace(data={"status": "success", "output_summary": private}),
    ]
    host.append(lines_of(some))
    host.ship()
    point_at(host.base, fleet.centre, content=content)
    shipping = Host(host.base, fleet.centre, content=content)
    for table in _TABLES:
        fleet.centre.client.run(f"TRUNCATE TABLE {table}")
    host.state_file.unlink()
    shipping.ship()
    assert (private in _everything(fleet.centre)) is content
    assert fleet.centre.value("SELECT input_tokens FROM run_spans") == 12
    assert shipping.verified().is_equal
    assert Cli(host.base.directory, capsys)("fleet", "verify").code == 0
