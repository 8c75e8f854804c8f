"""The daemon imports and receives where its settings say so, between its passes."""

from __future__ import annotations

import errno
import json
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from indexer.daemon.ways_in import Address, WaysIn
from indexer.store.connection import reading
from indexer.system.base import Base
from tests.support.daemon import eventually, running_daemon
from tests.support.sessions import THREAD, codex_lines, codex_path, stamp, write

_NEEDS_310 = pytest.mark.skipif(sys.version_info < (3, 10), reason="the receiver needs it")


def _settings(base: Path, text: str) -> None:
    (base / "config").mkdir(parents=True)
    (base / "config" / "telemetry.toml").write_text(text)


def _events(base: Path, run_id: str) -> int:
    try:
        with reading(base / "db" / "telemetry.sqlite") as connection:
            (found,) = connection.execute(
                "SELECT count(*) FROM run_events WHERE run_id = ?", (run_id,)
            ).fetchone()
    except Exception:
        return 0
    return int(found)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _trace(span: int) -> bytes:
    record = {
        "traceId": "a" * 32,
        "spanId": f"{span:016x}",
        "name": "x",
        "startTimeUnixNano": "1790000000000000000",
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [record]}]}]}).encode()


def test_the_daemon_follows_sessions_as_they_grow(base: Path, tmp_path: Path) -> None:
    """From the settings file; a line that is written is a row within moments."""
    home = tmp_path / "home"
    path = write(codex_path(home), codex_lines())
    _settings(base, '[import]\ntools = ["codex"]\n')
    with running_daemon(
        base, HOME=str(home), USERPROFILE=str(home), CODEX_HOME=str(home / ".codex")
    ):
        eventually(lambda: _events(base, f"codex-{THREAD}") == 6)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"timestamp": stamp(30), "type": "x", "payload": {}}) + "\n")
        eventually(lambda: _events(base, f"codex-{THREAD}") == 7)


@_NEEDS_310
def test_the_daemon_receives(base: Path) -> None:
    """What was answered with 200 becomes a run, without another program."""
    port = _free_port()
    _settings(base, f"[receive]\nport = {port}\n")
    with running_daemon(base):

        def is_sent() -> bool:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/traces",
                _trace(1),
                {"content-type": "application/json"},
            )
            try:
                return urllib.request.urlopen(request, timeout=10).status == 200
            except OSError:
                return False

        eventually(is_sent)
        eventually(lambda: _events(base, "trace-" + "a" * 32) == 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('[import]\ntools = ["nosuch"]\n', "nosuch"),
        ('[import]\ncontent = "some"\n', "content"),
        ("[import]\nwhen = 1\n", "when"),
        ("import = 1\n", "table"),
        ("[receive]\nport = 70000\n", "port"),
        ("[receive]\nwhere = 1\n", "known are"),
        ('[receive]\nhost = "0.0.0.0"\nport = 0\n', "receive"),
    ],
)
def test_settings_that_make_no_sense_are_said_and_end_nothing(base, text, wanted) -> None:
    """The daemon goes on without them."""
    _settings(base, text)
    ways_in = WaysIn(Base.at(base), lambda: False)
    ways_in.start()
    (problem,) = ways_in.step()
    assert wanted in problem
    assert ways_in.step() == []
    ways_in.stop()


@_NEEDS_310
def test_an_address_that_was_asked_for_and_is_taken_is_an_error(base: Path) -> None:
    """Who says `--receive` wants to know at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError) as refused:  # noqa: PT011  # its words are the system's
            WaysIn(Base.at(base), lambda: False, address).start()
    assert refused.value.errno == errno.EADDRINUSE
