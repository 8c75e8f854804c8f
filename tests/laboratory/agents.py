"""What records in a child of the laboratory, and says what was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any, Optional

from telemetry_core import TelemetryClient, TelemetryConfig
from tests.laboratory import shim
from tests.laboratory.children import Say
from tests.laboratory.shim import Fault

EVENTS_RECORDED = 10
"""How many events `record` makes in all, acknowledged or not."""


def client_on(base: Path, durability: str = "kernel") -> TelemetryClient:
    """Return a client that knows nothing of the environment."""
    variables = {"TELEMETRY_GIT": "0", "TELEMETRY_DURABILITY": durability}
    return TelemetryClient(TelemetryConfig.for_base(base, variables))


def a_day(client: TelemetryClient) -> list[Optional[str]]:
    """Record a bit of everything; return the ids, None for what was not acknowledged."""
    run_id = client.start_run("tester", "laboratory")
    ids = [client.log_event(run_id, "small", {"n": 1})]
    ids += client.log_events(run_id, [("batch", number) for number in range(3)]) or [None]
    ids += [client.log_event(run_id, "large", {"text": "x" * 70_000})]
    ids += [client.set_metrics(run_id, items_discovered=4)]
    ids += [client.end_run(run_id)]
    return ids


def record(say: Say, base: Path, fault: Fault, durability: str) -> None:
    """Record while `fault` strikes, and once more after it is over."""
    client = client_on(base, durability)
    with shim.armed(base, fault):
        for one in a_day(client):
            say(("acknowledged", one))
        met = shim.met()
    # It is over, and there is nobody left to say that something is lost.
    flushed = client.flush()
    say(("acknowledged", client.log_event(client.start_run("tester", "after"), "after")))
    say(("ended", met, flushed, client.get_stats()))


def work_for_ever(say: Say, base: Path, seed: int, threads: int) -> None:
    """Be an agent of several threads that records until it is killed."""
    client = client_on(base)
    mouth = threading.Lock()

    def tell(*ids: Optional[str]) -> None:
        acknowledged = [one for one in ids if one]
        with mouth:
            say(acknowledged)

    def work(name: str, chance: random.Random) -> None:
        while True:
            with client.track_run(name, "fleet") as run, run.span("work", kind="agent"):
                for number in range(chance.randrange(30)):
                    payload = {"n": number, "pad": "x" * _size(chance)}
                    tell(run.log_event("step", payload))
                    tell(*(run.log_events([("batch", k) for k in range(4)]) or ()))
                    tell(run.add(items_succeeded=1))
                    tell(run.log_metrics({"pad": len(payload["pad"])}, step=number))
                    with run.llm_call("model", provider="fake") as call:
                        call.usage(input_tokens=number, output_tokens=1)
                        # An agent does something between its events, and is killed there.
                        time.sleep(chance.random() / 8)

    for number in range(threads):
        arguments: Any = (f"agent-{number}", random.Random(seed + number))
        threading.Thread(target=work, args=arguments, daemon=True).start()
    threading.Event().wait()


def _size(chance: random.Random) -> int:
    """Mostly small; now and then so large that a kill tears it."""
    return chance.randrange(300_000) if chance.random() < 0.02 else chance.randrange(3_000)
