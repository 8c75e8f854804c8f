"""Run ids that open the page, at terminals that know links and nowhere else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from indexer.terminal.hyperlink import knows_links
from telemetry_core import TelemetryClient
from tests.support.cli import at_terminal, in_process

_LINK = "\x1b]8;"
_KNOWS = {"TERM_PROGRAM": "WezTerm"}


@pytest.fixture
def page(base: Path) -> Iterator[str]:
    """The address of something that listens, where the base's page was last served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        (base / "config").mkdir(parents=True, exist_ok=True)
        (base / "config" / "ui.json").write_bytes(orjson.dumps({"secret": "s3cret", "url": url}))
        yield url


@pytest.mark.parametrize(
    ("environment", "known"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"VTE_VERSION": "7600"}, True),
        ({"VTE_VERSION": "4900"}, False),
        ({"VTE_VERSION": "new"}, False),
        ({"TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"TERM_PROGRAM": "iTerm.app", "NO_COLOR": "1"}, False),
        ({"TERM_PROGRAM": "vscode", "TERM": "dumb"}, False),
        ({"VTE_VERSION": "7600", "TERM": "screen-256color"}, False),
        ({"TERM": "tmux-256color", "FORCE_HYPERLINK": "1"}, True),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
    ],
)
def test_only_terminals_that_know_links_get_them(environment: dict[str, str], known: bool) -> None:
    """Others would show the bytes as rubbish."""
    assert knows_links(environment) is known


@pytest.mark.parametrize("command", ["runs", "tree latest", "search begun", "usage --by run"])
def test_a_run_id_opens_the_run(
    base: Path, client: TelemetryClient, page: str, command: str
) -> None:
    """The address is the page's, and has no secret in it."""
    run_id = client.start_run("agent", "a/b ?")
    client.log_event(run_id, "begun")
    with client.track_run("agent", "job", run_id="odd/id;?") as run, run.llm_call("gpt-5") as call:
        run.log_event("begun")
        call.usage(input_tokens=1)
    shown = at_terminal(base, *command.split(), columns=120, **_KNOWS)
    assert f"{page}/runs/odd%2Fid%3B%3F" in shown
    assert shown.count(_LINK) % 2 == 0
    assert "s3cret" not in shown
    assert "token" not in shown.replace("TOKENS", "")


def test_nothing_is_linked_in_a_pipe_or_without_a_page(
    base: Path, client: TelemetryClient, page: str
) -> None:
    """Not where nobody clicks, not where a terminal does not know links, not into the void."""
    with client.track_run("agent", "job"):
        pass
    assert _LINK not in in_process(base, "runs", FORCE_HYPERLINK="1", **_KNOWS).out
    assert _LINK not in at_terminal(base, "runs", TERM_PROGRAM="Apple_Terminal")
    assert _LINK not in at_terminal(base, "runs", NO_COLOR="1", **_KNOWS)
    (base / "config" / "ui.json").unlink()
    assert _LINK not in at_terminal(base, "runs", **_KNOWS)
