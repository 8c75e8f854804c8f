"""The extension under valgrind, which sees what no sanitizer is built into: Python's own memory."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from telemetry_core import speed
from tests.support.process import run

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.skipif(bool(speed.WHY_PURE), reason=f"the extension: {speed.WHY_PURE}"),
    # The sanitizers and valgrind both take over the allocator.
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="runs under the sanitizers"),
]

_RECORDING = """
    import gc, sys, threading
    from pathlib import Path
    from telemetry_core import TelemetryClient, TelemetryConfig
    config = TelemetryConfig.for_base(Path(sys.argv[1]), {"TELEMETRY_GIT": "false"})
    client = TelemetryClient(config)
    run_id = client.start_run("agent", "job")
    payloads = [
        None, {}, {"a": 1}, {"t": "x" * 3000}, {"n": [1, 2.5, None, True, "\\u00e9\\u2028"] * 20},
        {"k": {"k": {"k": []}}}, "text", 5, {"password": "hunter2hunter2"}, {"o": object()}, {1: 2},
        {"s": "\\ud800"}, {"big": 2**70}, [float("nan")],
    ]
    def work():
        for number in range(150):
            client.log_event(run_id, "e", payloads[number % len(payloads)])
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with client.track_run("agent", "spans") as inside:
        for _ in range(50):
            with inside.span("s"):
                pass
    client.log_events(run_id, [("e", one) for one in payloads])
    client.end_run(run_id)
    gc.collect()
    print("recorded")
"""
_ERROR = re.compile(r"^==\d+== \S.*?(?=^==\d+== *$)", re.MULTILINE | re.DOTALL)


def test_valgrind_finds_nothing_in_the_extension(tmp_path: Path) -> None:
    """No wrong access and nothing lost; what it says of Python and other modules is theirs."""
    if shutil.which("valgrind") is None:
        if os.environ.get("CI"):
            pytest.fail("CI is set, and there is no valgrind on the path")
        pytest.skip("there is no valgrind on the path")
    report = tmp_path / "report.txt"
    through = (
        "valgrind",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect",
        "--num-callers=40",
        f"--log-file={report}",
    )
    said = run(_RECORDING, str(tmp_path / "b"), through=through, timeout=300, PYTHONMALLOC="malloc")
    assert said.strip() == "recorded"
    text = report.read_text()
    assert "ERROR SUMMARY" in text
    name = Path(speed.__file__).parent.name
    assert [found for found in _ERROR.findall(text) if f"/{name}/" in found] == []
