"""A cron job: one run for each execution, with counts and an exit code.

Crontab: `15 3 * * * /path/to/venv/bin/python cron_job.py`. A file that cannot be processed makes
the run `partial`; the job goes on with the next one.
"""

from __future__ import annotations

import sys

from telemetry_core import TelemetryClient

FILES = {"a.csv": "1,2,3", "b.csv": "4,five,6"}


def main() -> int:
    """Sum up the numbers of every file."""
    client = TelemetryClient()
    with client.track_run("nightly-sums", "import", trigger_type="scheduler") as run:
        run.set_metrics(items_discovered=len(FILES))
        for name, text in FILES.items():
            try:
                total = sum(int(cell) for cell in text.split(","))
            except ValueError as error:
                run.log_event("file_failed", {"file": name, "error": str(error)})
                run.add(items_failed=1)
                run.set_metrics(status="partial")
            else:
                run.log_event("file_done", {"file": name, "total": total})
                run.add(items_succeeded=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
