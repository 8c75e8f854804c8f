"""A process pool: workers count into the run of the process that started them.

Counters add up exactly once, whichever process raises them. A worker that is killed keeps what it
had recorded.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from telemetry_core import TelemetryClient


def work(run_id: str, number: int) -> int:
    """Square a number, and record it in the run of the parent."""
    client = TelemetryClient()
    client.log_event(run_id, "squared", {"number": number})
    client.add(run_id, items_succeeded=1, squares=number * number)
    return number * number


def main() -> None:
    """Square twenty numbers in two processes."""
    client = TelemetryClient()
    with client.track_run("squares", "batch") as run, ProcessPoolExecutor(2) as pool:
        numbers = range(20)
        run.set_metrics(items_discovered=len(numbers))
        print(sum(pool.map(work, [run.run_id] * len(numbers), numbers)))


if __name__ == "__main__":
    main()
