"""At a terminal, what is printed fits it; in a pipe, nothing is cut, coloured or boxed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from indexer.cli.main import run
from indexer.terminal import format as formatting
from indexer.terminal.table import Column, print_plain_table
from telemetry_core.timestamp import format_time
from tests.support.cli import at_terminal, in_process

pytestmark = pytest.mark.needs("terminal")

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOURS = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@pytest.fixture
def recorded(client):
    """Runs with long names, long errors and markup in them."""
    for number in range(4):
        with client.track_run(
            "an-agent-with-a-long-name", "a-long-job-type", items_discovered=12345
        ):
            client.log_event("run", "step", {"text": "[bold]no markup[/bold]", "number": number})
    run_id = client.start_run("agent", "job")
    client.end_run(run_id, "failed", error_summary="Error: [red]" + "very long " * 30)
    return run_id


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("command", ["runs", "stats", "tail"])
def test_tables_fit_the_terminal(command, columns, base, recorded):
    """No line is wider than the terminal."""
    shown = ESCAPES.sub("", at_terminal(base, command, columns=columns))
    assert len(shown.splitlines()) > 3
    assert all(formatting.width(line) <= columns for line in shown.splitlines()), shown


def test_colours_at_a_terminal_and_none_with_no_color(base, recorded):
    """NO_COLOR is honoured."""
    assert COLOURS.search(at_terminal(base, "runs"))
    assert not COLOURS.search(at_terminal(base, "runs", NO_COLOR="1"))


def test_what_agents_wrote_is_no_markup(base, recorded):
    """Square brackets are shown as they were written."""
    assert "[red]" in ESCAPES.sub("", at_terminal(base, "runs", columns=200))
    assert "[bold]no markup[/bold]" in ESCAPES.sub("", at_terminal(base, "tail", columns=300))


def test_a_note_without_room_goes_below_its_row(base, recorded):
    """At 80 columns the error has a line of its own, at 200 it is next to its run."""
    narrow = ESCAPES.sub("", at_terminal(base, "runs", columns=80)).splitlines()
    wide = ESCAPES.sub("", at_terminal(base, "runs", columns=200)).splitlines()
    assert any(line.startswith("  Error: [red]") for line in narrow)
    assert any("failed" in line and "Error: [red]" in line for line in wide)


def test_the_short_name_of_a_run_finds_it(base, recorded):
    """What a terminal shows in place of an id is taken by show."""
    shown = ESCAPES.sub("", at_terminal(base, "runs"))
    name = shown.splitlines()[2].split()[0]
    assert len(name) == 8
    assert recorded in in_process(base, "show", name).out


def test_sql_is_a_table_at_a_terminal_and_csv_in_a_pipe(base, recorded):
    """The default form follows who reads."""
    query = "SELECT 1 AS one, 2 AS two"
    assert at_terminal(base, "sql", query).splitlines() == ["one  two", "1    2"]
    assert in_process(base, "sql", query).out.splitlines() == ["one,two", "1,2"]


@pytest.mark.parametrize("command", ["runs", "stats", "status", "tail"])
def test_a_pipe_gets_plain_text(command, base, recorded):
    """No escape, no rule, nothing cut."""
    out = in_process(base, command).out
    assert "\x1b" not in out
    assert "\u2500" not in out
    assert "\u2026" not in out


def test_plain_columns_are_aligned_by_what_they_show(capsys):
    """Wide and combining characters take the cells that they take."""
    print_plain_table([Column("NAME"), Column("N", right=True)], [["日本", "1"], ["e\u0301", "22"]])
    assert capsys.readouterr().out.splitlines() == ["NAME   N", "日本   1", "e\u0301     22"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
        (10**19, "10000 PB"),
    ],
)
def test_sizes(value, words):
    """Sizes are in units of a thousand, with two or three digits."""
    assert formatting.size(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1 m 00 s"),
        (3_599_000, "59 m 59 s"),
        (3_600_000, "1 h 00 m"),
        (47 * 3_600_000, "47 h 00 m"),
        (50 * 3_600_000, "2 d 2 h"),
        (None, ""),
        ("soon", "soon"),
    ],
)
def test_durations(value, words):
    """Durations are in their two largest units; what is no number is shown as it is."""
    assert formatting.duration(value) == words


def test_times_are_local_and_leave_out_today():
    """People see their own clock; the day only where it is another."""
    now = datetime.now(timezone.utc)
    text = format_time(now)
    assert formatting.local_time(text) == now.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert formatting.local_time(text, short=True) == now.astimezone().strftime("%H:%M:%S")
    before = now - timedelta(days=3)
    short = formatting.local_time(format_time(before), short=True)
    assert short == before.astimezone().strftime("%b %d %H:%M")
    assert formatting.local_time("no time") == "no time"
    assert formatting.local_time(None) == ""


def test_text_can_not_play_tricks():
    """Control characters, line ends, bidirectional marks and lone surrogates become visible."""
    assert formatting.plain("a\x1b[2Jb\r\n\t\x7f\x9b\u202e\u2028\ud800ü日") == (
        "a\\x1b[2Jb\\r\\n\\t\\x7f\\x9b\\u202e\\u2028\\ud800ü日"
    )


NASTY = "a\x1b[2Jb\x9b31mc\u202ed\x7fe"
"""Clears the screen, turns it red and the text around."""


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs",),
        ("runs", "--json"),
        ("show", "latest"),
        ("show", "latest", "--json"),
        ("stats",),
        ("tail",),
        ("tail", "--json"),
        ("sql", "SELECT agent_name FROM agent_runs"),
        ("sql", "--json", "SELECT agent_name FROM agent_runs"),
        ("sql", "--format", "csv", "SELECT agent_name FROM agent_runs"),
        ("sql", "--format", "csv", f"SELECT 1 AS '{NASTY}'"),
        ("show", NASTY),
        ("export", "events", "-o", "-"),
        ("report", "--json"),
        ("report", "-o", "-"),
        ("report", "-o", "-", "--format", "markdown"),
    ],
)
def test_no_command_has_the_terminal_act_on_what_agents_wrote(arguments, base, client):
    """Whatever the form, control characters arrive as text."""
    with client.track_run(NASTY, NASTY, error_details=NASTY) as nasty:
        nasty.log_event(NASTY, {NASTY: NASTY})
    # Indexed before: on a busy machine that takes long enough for a progress bar.
    assert run(["--base", str(base), "index"]) == 0
    shown = ESCAPES.sub("", at_terminal(base, *arguments, NO_COLOR="1", columns=200))
    assert "e" in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|\x1b", shown), repr(shown)


def test_csv_in_a_pipe_has_what_is_there(base, client):
    """What a program reads is not touched."""
    client.start_run(NASTY, "job")
    assert NASTY in in_process(base, "sql", "SELECT agent_name FROM agent_runs").out


def test_json_of_tricks_is_the_same_value(base, client):
    """It is only spelled otherwise."""
    client.start_run(NASTY, "job")
    assert in_process(base, "runs", "--json").json[0]["agent_name"] == NASTY


def test_a_result_too_wide_is_shown_row_by_row(base, recorded):
    """Names and values stand below one another, without what is empty; nothing is cut."""
    query = "SELECT run_id, NULL AS missing, 'x' AS one, * FROM agent_runs LIMIT 2"
    lines = ESCAPES.sub("", at_terminal(base, "sql", query)).splitlines()
    assert [line for line in lines if line.startswith("row ")] == ["row 1", "row 2"]
    assert sum(line.split() == ["one", "x"] for line in lines) == 2
    assert not any(line.startswith("missing") for line in lines)
    assert any(recorded in line for line in lines)


def test_a_very_long_value_is_cut_for_people_only(base, client):
    """An error of 10,000 characters does not push the rest off the screen."""
    run_id = client.start_run("agent", "job")
    client.end_run(run_id, "failed", error_summary="E" * 10_000, error_details="D" * 10_000)
    shown = ESCAPES.sub("", at_terminal(base, "show", run_id))
    assert len(shown.splitlines()) < 50
    assert shown.count("(10,000 characters; --full shows all)") >= 1
    assert "D" * 10_000 in in_process(base, "show", run_id).out


def test_a_terminal_without_lines_gets_dashes(base, recorded):
    """The rule is no row of escapes."""
    shown = at_terminal(base, "stats", PYTHONIOENCODING="ascii")
    assert "\n----" in ESCAPES.sub("", shown)
    assert "u2500" not in shown
