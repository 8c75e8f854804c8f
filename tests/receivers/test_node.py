"""What a program for Node with OpenTelemetry's own SDK sends arrives, whole."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the receiver needs the extra `receive`, and Python 3.10")

from tests.support.cli import Cli
from tests.support.process import environment
from tests.support.receiver import Sender, receiving

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.skipif(not shutil.which("node"), reason="needs node"),
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm"),
]
_SOURCE = Path(__file__).with_name("node")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, with the packages that it needs from the registry."""
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(_SOURCE, folder, dirs_exist_ok=True)
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    return folder / "weather.mjs"


@pytest.fixture
def send(base: Path) -> Iterator[Sender]:
    """A receiver of `base`."""
    with receiving(base) as sender:
        yield sender


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_an_agent_for_node_is_a_run(base: Path, send: Sender, capsys, program, encoding) -> None:
    """Its spans with usage, the tool that failed, and what it logged; nothing of it knows us."""
    endpoint = f"http://127.0.0.1:{send.port}"
    subprocess.run(
        ["node", str(program), encoding],
        env=environment(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint),
        check=True,
        timeout=60,
    )
    cli = Cli(base, capsys)
    (run,) = cli("runs", "--json").json
    assert (run["agent_name"], run["status"]) == ("forecaster", "success")
    shown = cli("show", run["run_id"], "--json").json
    types = sorted(event["type"] for event in shown["events"])
    assert types == ["otel.log", "otel.span", "otel.span", "otel.span"]
    spans = cli(
        "sql",
        "--json",
        "SELECT kind, status, input_tokens, cache_read_tokens FROM run_spans ORDER BY start_time",
    ).json
    assert sorted((one["kind"], one["status"]) for one in spans) == [
        ("agent", "ok"),
        ("llm", "ok"),
        ("tool", "error"),
    ]
    (call,) = [one for one in spans if one["kind"] == "llm"]
    assert (call["input_tokens"], call["cache_read_tokens"]) == (60, 40)
