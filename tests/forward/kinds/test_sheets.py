"""Runs into a Google sheet: the transport against an emulator, and our script run by node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from indexer.forward.kinds.http_client import ReplaceableClient
from indexer.forward.kinds.sheets import SheetsTransport
from indexer.outbox.parcel import Parcel
from tests.support.cli import Ran, in_process
from tests.support.forward import a_target, received, record
from tests.support.process import ROOT
from tests.support.sheets import HOSTS, Google
from tests.support.throwaway import certificate

_TOKEN = "sheet-T0ken"


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    with Google(certificate(tmp_path, HOSTS), _TOKEN) as emulator:
        yield emulator


def _forward(base: Path, google: Google, tmp_path: Path, token: str = _TOKEN) -> Ran:
    """Let an hour pass, and forward once."""
    view = base / "db" / "telemetry.sqlite"
    if view.exists():
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(view)) as connection:
            connection.execute("UPDATE outbox SET next_attempt_at = 0")
            connection.execute("UPDATE forward_targets SET blocked_until = 0")
            connection.commit()
    return in_process(
        base,
        "forward",
        "--json",
        METRICS_API_URL="https://script.google.com/macros/s/abc/exec",
        METRICS_API_TOKEN=token,
        HTTPS_PROXY=google.proxy,
        SSL_CERT_FILE=str(tmp_path / "cert.pem"),
    )


def _target(ran: Ran) -> dict[str, Any]:
    (target,) = ran.json["targets"]
    return target


def test_runs_become_rows_through_the_redirect(base: Path, google: Google, tmp_path: Path) -> None:
    """One POST and one GET a run; what a sheet would take for a formula is defused."""
    runs = record(base, 2)
    record(base, product="=cmd|' /C calc'!A0", subdomain="-5")
    ran = _forward(base, google, tmp_path)
    assert (ran.code, _target(ran)["kind"], _target(ran)["waiting"]) == (0, "sheets", 0), ran
    assert (google.calls, google.faults) == (3, [])
    rows = {row["key"]: row for row in google.rows}
    assert {f"{run}:2" for run in runs} < set(rows)
    (odd,) = (row for row in google.rows if "product" in row)
    assert odd["product"] == "'=cmd|' /C calc'!A0"
    assert odd["subdomain"] == "-5", "a number stays one"
    assert "token" not in odd


@pytest.mark.parametrize(
    ("way", "is_written", "reason"),
    [
        ("page", False, "a web page instead of the script"),
        ("page instead", True, "a web page instead of the script"),
        ("lost", True, "answer cannot be fetched: HTTP 500"),
        ("unreadable", True, "a web page instead of the script"),
        ("another", True, "the script's answer is about another row"),
        ("busy", False, "the sheet is busy"),
        ("elsewhere", False, "a redirect to a host that is not Google's"),
        ("plain", False, "a redirect to a host that is not Google's"),
    ],
)
def test_what_is_not_acknowledged_is_sent_again_under_the_same_key(
    base: Path, google: Google, tmp_path: Path, *, way: str, is_written: bool, reason: str
) -> None:
    """Whether or not the row was written, it stands there once in the end."""
    (run,) = record(base)
    google.ways = [way]
    target = _target(_forward(base, google, tmp_path))
    assert reason in target["last_error"]
    assert (len(google.rows), target["waiting"]) == (is_written, 1)
    assert _target(_forward(base, google, tmp_path))["waiting"] == 0
    assert [row["key"] for row in google.rows] == [f"{run}:2"]
    assert (google.calls, google.faults) == (2, [])


def test_a_row_that_the_script_does_not_take_is_a_dead_letter(
    base: Path, google: Google, tmp_path: Path
) -> None:
    """And the others go on."""
    record(base, 3)
    google.ways = ["rows"]
    target = _target(_forward(base, google, tmp_path))
    assert (target["dead"], target["waiting"], len(google.rows)) == (1, 0, 2)


def test_no_cell_holds_more_than_the_sheet_accepts() -> None:
    """Text beyond Google's limit is cut with a mark, so that no run is refused for it."""
    run = {"output_summary": "=" + "y" * 60_000, "context_json": "\U0001f600" * 30_000, "n": 5}
    parcel = Parcel("sheet", "r", 2, "r:2", orjson.dumps(run), 1)
    transport = SheetsTransport(a_target(token="t"), ReplaceableClient(httpx.AsyncClient))
    (row,) = orjson.loads(transport._body(parcel))["rows"]
    cells = [value for value in row.values() if isinstance(value, str)]
    assert max(len(cell.encode("utf-16-le")) // 2 for cell in cells) < 50_000
    assert row["output_summary"].startswith("'=")
    assert row["output_summary"].endswith("... [cut: 60001 characters]")
    assert row["n"] == 5


def test_a_wrong_token_pauses_the_sheet(base: Path, google: Google, tmp_path: Path) -> None:
    """Nothing is written, and neither token nor the answer's address is in any of our files."""
    record(base, 5)
    ran = _forward(base, google, tmp_path, token="wr0ng-T0ken")
    assert (ran.code, _target(ran)["state"], google.rows) == (3, "paused", [])
    assert "the script rejected the token" in _target(ran)["last_error"]
    assert {data["outcome"] for _, data in received(base)} == {"unauthorized"}
    written = [path.read_bytes() for path in base.rglob("*") if path.is_file()]
    text = b"".join(written).decode("latin-1") + ran.out + ran.err
    assert "wr0ng-T0ken" not in text
    assert "ech0-s3cret" not in text


_STUBS = """
const state = { cells: [], sets: 0, locked: 0, flushed: 0, tries: true };
const text = (value) => typeof value === 'string' && value[0] === "'" ? value.slice(1) : value;
const sheet = {
  getLastRow: () => state.cells.length,
  getLastColumn: () => state.cells[0].length,
  appendRow: (row) => state.cells.push(row),
  getRange: (row, column, rows, columns) => ({
    getValues: () => state.cells.slice(row - 1, row - 1 + rows)
      .map((cells) => cells.slice(column - 1, column - 1 + columns)),
    setValues: (values) => {
      state.sets += 1;
      for (const value of values.flat()) {
        if (typeof value === 'string' && value[0] === '=') throw new Error('a formula ran');
      }
      if (!state.locked) throw new Error('without the lock');
      values.forEach((cells) => state.cells.push(cells.map(text)));
    },
  }),
};
const SpreadsheetApp = { flush: () => { state.flushed += 1; }, getActiveSpreadsheet: () => ({
  getSheetByName: () => null, insertSheet: () => sheet }) };
const PropertiesService = { getScriptProperties: () => ({ getProperty: () => 'right' }) };
const LockService = { getScriptLock: () => ({
  tryLock: () => { state.locked += state.tries ? 1 : 0; return state.tries; },
  releaseLock: () => { state.locked -= 1; } }) };
const ContentService = { MimeType: { JSON: 'json' },
  createTextOutput: (said) => ({ setMimeType: () => JSON.parse(said) }) };
const post = (message) => doPost({ postData: { contents: message } });
"""


def _run_script(story: str) -> Any:
    """Run our script as it is in the docs, and a story of calls behind it."""
    if shutil.which("node") is None:
        pytest.skip("node is not there to run the script with")
    page = (ROOT / "docs" / "google-sheets.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```javascript\n(.*?)```", page, re.DOTALL)
    code = f"{_STUBS}\n{script}\nconsole.log(JSON.stringify((() => {{ {story} }})()));"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_our_script_appends_rows_once_in_one_call() -> None:
    """Under the lock, flushed before it is given back, no formula, no key taken for a time."""
    reported = _run_script("""
        const row = { key: '12:30', agent_name: '=1+1' };
        const rows = [row, row, { key: '-x:2', items_failed: 0 }];
        const message = JSON.stringify({ token: 'right', rows });
        return { answers: [post(message), post(message)], ...state };
    """)
    assert reported["answers"] == [{"ok": True, "keys": ["12:30", "12:30", "-x:2"]}] * 2
    header, first, second = reported["cells"]
    assert dict(zip(header, first))["key"] == "12:30"
    assert dict(zip(header, first))["agent_name"] == "=1+1"
    assert dict(zip(header, second))["items_failed"] == 0
    assert (reported["sets"], reported["flushed"], reported["locked"]) == (1, 1, 0)


def test_our_script_says_whether_a_row_or_the_sheet_is_at_fault() -> None:
    """A cell that is too long is that row's fault; a sheet that is full is not."""
    reported = _run_script("""
        const call = (error) => {
          sheet.getRange = () => { throw new Error(error); };
          return post(JSON.stringify({ token: 'right', rows: [{ key: 'a' }] }));
        };
        return [call('more than the maximum of 50000 characters in a single cell'),
          call('above the limit of 10000000 cells'), { ok: state.locked === 0 }];
    """)
    assert [one.get("error") for one in reported] == ["row", "sheet", None]
    assert reported[2] == {"ok": True}, "the lock is released"


def test_our_script_takes_nothing_without_its_token_and_its_lock() -> None:
    """Each refusal says which, as the transport understands it; the sheet stays as it is."""
    reported = _run_script("""
        const good = { token: 'right', rows: [] };
        const answers = [post('{'), post('{}'), post(JSON.stringify({ ...good, token: 'wrong' })),
          post(JSON.stringify({ token: 'right' }))];
        state.tries = false;
        answers.push(post(JSON.stringify(good)));
        return { answers, cells: state.cells };
    """)
    errors = ["json", "token", "token", "rows", "busy"]
    assert reported == {"answers": [{"ok": False, "error": one} for one in errors], "cells": []}
