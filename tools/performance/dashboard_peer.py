"""Records runs with another library, for its dashboard, in an environment of that library's own.

Started by the section on dashboards as `python -m tools.performance.dashboard_peer NAME DIRECTORY
RUNS STEPS`. It records so many runs of so many steps and says `ready`; then for each name on stdin
it records a run of that name and says when its last call returned, in seconds since the epoch.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Callable

Record = Callable[[str, int], object]
"""Records a run by its name, with so many steps of two metrics."""
_PROJECT = "agents"


def telemetry(directory: Path) -> Record:
    """Record with what all of this is about."""
    from telemetry_core import TelemetryClient, TelemetryConfig

    client = TelemetryClient(TelemetryConfig.for_base(directory, {"TELEMETRY_GIT": "false"}))

    def record(name: str, steps: int) -> None:
        with client.track_run(name, "nightly") as run:
            for step in range(steps):
                run.log_metrics(_values(step), step=step)

    return record


def trackio(directory: Path) -> Record:
    """Record with Trackio into its local database."""
    os.environ.update(TRACKIO_DIR=str(directory), HF_HUB_OFFLINE="1")
    import trackio as library

    def record(name: str, steps: int) -> None:
        library.init(
            project=_PROJECT, name=name, embed=False, auto_log_cpu=False, auto_log_gpu=False
        )
        for step in range(steps):
            library.log(_values(step), step=step)
        library.finish()

    return record


def mlflow(directory: Path) -> Record:
    """Record with MLflow into its local database."""
    import mlflow as library
    from mlflow.entities import Metric

    library.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
    library.set_experiment(_PROJECT)
    client = library.MlflowClient()

    def record(name: str, steps: int) -> None:
        with library.start_run(run_name=name) as run:
            now = int(time.time() * 1000)
            found = [
                Metric(k, v, now, step) for step in range(steps) for k, v in _values(step).items()
            ]
            client.log_batch(run.info.run_id, found)

    return record


def _values(step: int) -> dict[str, float]:
    return {"loss": 1 / (step + 1), "items": float(step)}


PEERS: dict[str, Callable[[Path], Record]] = {
    "telemetry": telemetry,
    "trackio": trackio,
    "mlflow": mlflow,
}


def main(name: str, directory: Path, runs: int, steps: int) -> None:
    """Record, and go on recording whatever is asked for."""
    record = PEERS[name](directory)
    for number in range(runs):
        record(f"crawler-{number:03d}", steps)
    print("ready", flush=True)
    for line in sys.stdin:
        record(line.strip(), 1)
        print(f"recorded {time.time()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
