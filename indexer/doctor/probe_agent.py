"""An agent for the probe: writes its events with the real client, in a separate process.

The probe starts it as `python -m indexer.doctor.probe_agent BASE DURABILITY`. The process has
ended, with its last retries, before the probe removes its base directory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from telemetry_core.client import TelemetryClient
from telemetry_core.config import TelemetryConfig


def main(base: str, durability: str) -> None:
    """Record one run with one event; print a report as JSON."""
    config = TelemetryConfig.for_base(Path(base))
    config.durability, config.git = durability, False
    began = time.monotonic()
    client = TelemetryClient(config)
    run_id = client.start_run("telemetry-doctor", "probe")
    event_id = client.log_event(run_id, "probe", {"written": True})
    client.end_run(run_id)
    report = {
        "run_id": run_id,
        "is_written": event_id is not None,
        "seconds": time.monotonic() - began,
        "error": client.get_stats()["last_write_error"],
    }
    print(json.dumps(report))  # noqa: T201  # for the probe to read


if __name__ == "__main__":
    main(*sys.argv[1:])
