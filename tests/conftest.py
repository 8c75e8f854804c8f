"""What every test has: an environment without telemetry's variables, and a log of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from telemetry_core import TelemetryClient, TelemetryConfig, given_fields, lineage, notices, writers
from telemetry_core.settings import SETTINGS
from telemetry_core.speed import PURE_VARIABLE
from tests.support.log import Log
from tests.support.needs import missing

_TELEMETRY_VARIABLES = {setting.variable for setting in SETTINGS} | {
    lineage.PARENT_VARIABLE,
    lineage.TRACE_VARIABLE,
}
# The suite runs with the extension and without it; its children do as it does.
_TELEMETRY_VARIABLES.discard(PURE_VARIABLE)

# Hundreds of processes are started: each would compile all of it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What is buffered meets a full disk or a closed pipe at another moment than what is not.
os.environ.pop("PYTHONUNBUFFERED", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that repeats the fault laboratory with another run's seed."""
    parser.addoption(
        "--seed", type=int, default=_default_seed(), help="the fault laboratory's seed"
    )
    parser.addoption(
        "--fuzz-seconds", type=float, default=2.0, help="how long the extension in C is fuzzed"
    )


def _default_seed() -> int:
    # What lands is judged by one seed, so that it is judged by its own changes; everybody else
    # looks where nobody has looked yet.
    return 20261122 if os.environ.get("CI") else int.from_bytes(os.urandom(4), "big")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers more than there are cores: much of the time tests wait for processes."""
    return (os.cpu_count() or 1) + 2


# Time says nothing of what is tested: other work runs on the same cores, and Wine takes
# milliseconds for what Windows does in microseconds.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_report_header(config: pytest.Config) -> str:
    """Say what repeats this run."""
    return f"fault laboratory: --seed {config.getoption('seed')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need what this platform lacks."""
    for item in items:
        for marker in item.iter_markers("needs"):
            for reason in missing(marker.args):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def laboratory_seed(pytestconfig: pytest.Config) -> int:
    """The seed of the fault laboratory."""
    return int(pytestconfig.getoption("seed"))


@pytest.fixture(autouse=True, scope="session")
def _children_hear_ctrl_c() -> None:
    """A shell starts what it puts in the background deaf to SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable, open run, writer or signal handler of one test is there for the next."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for name in _TELEMETRY_VARIABLES & os.environ.keys():
        monkeypatch.delenv(name)
    known = set(writers._WRITERS)
    lineage._open_runs.set(())
    lineage._open_spans.set(())
    notices._said.clear()
    given_fields._odd_names.clear()
    yield
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            # A daemon that ran in this process, for example, which has its own to the end.
            signal.signal(number, handler)
    lineage._exported.clear()
    for name in _TELEMETRY_VARIABLES & os.environ.keys():
        del os.environ[name]
    for key in writers._WRITERS.keys() - known:
        writers._WRITERS.pop(key)._shared.forget()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base directory that is not there yet."""
    return tmp_path / "base"


@pytest.fixture
def log(base: Path) -> Log:
    """What is in the log of `base`."""
    return Log(base / "raw")


@pytest.fixture
def client(base: Path) -> TelemetryClient:
    """A client that writes to `base`."""
    return TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
