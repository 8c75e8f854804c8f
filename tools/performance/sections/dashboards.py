"""The page next to other dashboards on the same runs: first paint, bytes, memory, liveness.

Each is installed in a throw-away environment, which needs the network, and set up for local files
as its own documentation does. Ours is measured by the same steps.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import click

from tools.performance.browser import Chromium, Load, Window, chromium
from tools.performance.figure import Figure, percentile
from tools.performance.section import Bench, Section
from tools.performance.served import memory_mb, page_server, processes, server

_ROOT = Path(__file__).resolve().parents[3]
_RUNS, _STEPS = 50, 100
_LOADS = 7
_INSTALLING = 600
_IDLE_MS = 10_000
_GIVEN_UP_MS = 60_000.0
"""Who shows a new run later than that has this as its figure, and is asked no more."""
_LAST = f"crawler-{_RUNS - 1:03d}"
_OURS = "telemetry"


class _Served(NamedTuple):
    """A dashboard that runs."""

    pid: int
    url: str
    """Of its list of runs."""


class _Found(NamedTuple):
    """What one dashboard came to."""

    loads: Sequence[Load]
    idle_requests: float
    """In ten seconds in which nothing happens."""
    live_ms: Sequence[float]
    memory_mb: float
    processes: float


class _Peer(NamedTuple):
    """Another dashboard."""

    name: str
    requirement: str
    arguments: Callable[[str, Path, int], Sequence[str]]
    """The command line of its server, by its Python, directory and port."""
    path: str
    """Of its list of runs."""
    rounds: int
    """How often liveness is measured: some take half a minute."""


_SHOW = (
    "import trackio; trackio.show(project='agents', open_browser=False,"
    " host='127.0.0.1', server_port={port}, block_thread=True)"
)
_PEERS = (
    _Peer(
        "trackio",
        "trackio",
        lambda python, _, port: [python, "-c", _SHOW.format(port=port)],
        "/runs?project=agents",
        10,
    ),
    _Peer(
        "mlflow",
        "mlflow",
        lambda python, directory, port: [
            *(python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{directory}/mlflow.db"),
        ],
        "/#/experiments/1/runs",
        2,
    ),
)


def _run(bench: Bench) -> Iterator[Figure]:
    with chromium() as browser:
        if browser is None:
            click.echo("no Chromium or no playwright: dashboards are left out", err=True)
            return
        bench.say("ours")
        found = {_OURS: _ours(bench, browser)}
        for peer in _PEERS:
            bench.say(peer.name)
            theirs = _theirs(bench, browser, peer)
            if theirs is None:
                click.echo(f"{peer.name} can't be installed here: it is left out", err=True)
            else:
                found[peer.name] = theirs
    yield from _figures(found)


def _ours(bench: Bench, browser: Chromium) -> _Found:
    base = bench.directory / _OURS
    with _recorder(_OURS, sys.executable, base) as record, page_server(base) as ours:
        browser.sign_in(ours.link)
        served = _Served(ours.pid, f"{ours.url}/runs")
        return _looked_at(bench, browser, served, record, bench.rounds(30))


def _theirs(bench: Bench, browser: Chromium, peer: _Peer) -> Optional[_Found]:
    directory = bench.directory / peer.name
    directory.mkdir()
    python = _environment(bench.directory / f"{peer.name}-venv", peer.requirement)
    if python is None:
        return None
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    arguments = peer.arguments(python, directory, port)
    variables = {"TRACKIO_DIR": str(directory), "HF_HUB_OFFLINE": "1"}
    url = f"http://127.0.0.1:{port}"
    recorder = _recorder(peer.name, python, directory)
    with recorder as record, server(arguments, url, directory, variables) as pid:
        served = _Served(pid, url + peer.path)
        return _looked_at(bench, browser, served, record, peer.rounds)


def _environment(directory: Path, requirement: str) -> Optional[str]:
    """Make a throw-away environment; return its Python, None if it can't be had."""
    python = str(directory / "bin/python")
    install = [python, "-m", "pip", "install", "--quiet", requirement]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run(install, check=True, capture_output=True, timeout=_INSTALLING)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return python


@contextmanager
def _recorder(name: str, python: str, directory: Path) -> Iterator[Callable[[str], float]]:
    """A process that has recorded the runs; gives what has it record one more, by its name."""
    child = subprocess.Popen(
        [
            python,
            "-m",
            "tools.performance.dashboard_peer",
            name,
            directory,
            str(_RUNS),
            str(_STEPS),
        ],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None

    def said(word: str) -> str:
        """Return the next line that begins with a word: some libraries greet on stdout."""
        for line in child.stdout or ():
            if line.startswith(word):
                return line
        raise RuntimeError(f"{name} records nothing here")

    def record(run: str) -> float:
        print(run, file=child.stdin, flush=True)
        return float(said("recorded").split()[1])

    try:
        said("ready")
        yield record
    finally:
        child.stdin.close()
        child.terminate()
        child.wait()


def _looked_at(
    bench: Bench,
    browser: Chromium,
    served: _Served,
    record: Callable[[str], float],
    rounds: int,
) -> _Found:
    ready = f"text={_LAST}"
    loads = [browser.load(served.url, ready) for _ in range(bench.rounds(_LOADS))]
    live: list[float] = []
    with browser.window() as window:
        window.load(served.url, ready)
        requests = window.requests
        window.page.wait_for_timeout(_IDLE_MS)
        idle = window.requests - requests
        while len(live) < rounds and _GIVEN_UP_MS not in live:
            live.append(_newcomer(window, record, f"newcomer-{len(live):03d}"))
    return _Found(loads, idle, live, memory_mb(served.pid), processes(served.pid))


def _newcomer(window: Window, record: Callable[[str], float], name: str) -> float:
    """Return how many ms after a run was recorded the open page has its name."""
    seen = window.appears(name, lambda: record(name))
    return _GIVEN_UP_MS if seen is None else seen


def _figures(found: dict[str, _Found]) -> Iterator[Figure]:
    def paint(one: _Found) -> float:
        return percentile([load.first_paint_ms for load in one.loads], 50)

    sides: tuple[tuple[str, str, Callable[[_Found], float]], ...] = (
        ("first paint", "ms", paint),
        ("requests of a load", "", lambda one: one.loads[-1].requests),
        ("transferred by a load", "kB", lambda one: one.loads[-1].kilobytes),
        ("nodes", "", lambda one: one.loads[-1].nodes),
        ("heap", "MB", lambda one: one.loads[-1].heap_mb),
        ("script on load", "ms", lambda one: one.loads[-1].script_ms),
        ("requests of an idle tab in 10 s", "", lambda one: one.idle_requests),
        ("a new run on the open page, p50", "ms", lambda one: percentile(one.live_ms, 50)),
        ("a new run on the open page, maximum", "ms", lambda one: max(one.live_ms)),
        ("memory of the server", "MB", lambda one: one.memory_mb),
        ("processes of the server", "", lambda one: one.processes),
    )
    for name, unit, of in sides:
        peers = {peer: of(one) for peer, one in found.items() if peer != _OURS}
        note = ", ".join(f"{peer} {value:,.4g}" for peer, value in peers.items())
        yield Figure(name, unit, of(found[_OURS]), peers=peers, note=note)


SECTION = Section("dashboards", "The page next to others", _run)
