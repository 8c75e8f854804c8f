from __future__ import annotations

import importlib
import sys

import pytest

import telemetry_core
from tests.support.process import run

FOREIGN = {
    "asyncio",
    "click",
    "httpx",
    "indexer",
    "logging",
    "multiprocessing",
    "numpy",
    "portalocker",
    "rich",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "traceback",
    "watchdog",
}


@pytest.mark.skipif(sys.platform == "win32", reason="portalocker, which locks here, loads more")
def test_importing_and_logging_loads_nothing_foreign(tmp_path):
    """The standard library's small modules and orjson; no thread, nothing printed."""
    out = run(
        """
        import sys
        before = set(sys.modules)
        from telemetry_core import TelemetryClient
        client = TelemetryClient()
        run_id = client.start_run("a", "j")
        client.log_event(run_id, "e", {"a": 1})
        client.end_run(run_id)
        loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
        threading = sys.modules["threading"]
        assert threading.active_count() == 1
        sys.stderr.flush()
        print(" ".join(sorted(loaded)))
        """,
        TELEMETRY_BASE_DIR=str(tmp_path),
    )
    # Python's own build data, which older orjsons load through zoneinfo, bears the platform's name.
    loaded = {name for name in out.split() if not name.startswith("_sysconfigdata")}
    # Some Pythons' own uuid or platform, which orjson imports, loads subprocess.
    allowed = {"subprocess"} if sys.version_info < (3, 11) else set()
    assert loaded & FOREIGN <= allowed
    if sys.version_info >= (3, 10):
        assert loaded - set(sys.stdlib_module_names) <= {"orjson", "telemetry_core"}


def test_the_name_that_existing_users_import_is_the_same_thing():
    """`telemetry` is telemetry_core by another name, with the names they know."""
    for path in ("", ".client", ".config", ".models", ".schema"):
        module = importlib.import_module(f"telemetry_core._telemetry{path}")
        for name in module.__all__:
            assert getattr(module, name) is getattr(telemetry_core, name)
