"""Another library that records the same events, in a process that is then killed.

Started by the section on peers in an environment of its own, as `python -m
tools.performance.peer NAME DIRECTORY EVENTS`. It says how many seconds an event took and ends by
SIGKILL, at once. Each is set up as its own documentation does for local files.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable

from tools.performance.workload import payloads

Log = Callable[[dict[str, Any]], Any]
_WARM_UP = 100


def telemetry(directory: Path) -> Log:
    """Set up what all of this is about."""
    from telemetry_core import TelemetryClient, TelemetryConfig

    client = TelemetryClient(TelemetryConfig.for_base(directory))
    return lambda payload: client.log_event("run", "page_fetched", payload)


def standard_logging(directory: Path) -> Log:
    """Set up the standard library's logging with a formatter that writes JSON."""
    import logging

    class Formatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            fields = {"time": record.created, "event": record.getMessage()}
            return json.dumps({**fields, "payload": record.__dict__["payload"]})

    handler = logging.FileHandler(directory / "log.ndjson")
    handler.setFormatter(Formatter())
    logger = logging.getLogger("agent")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return lambda payload: logger.info("page_fetched", extra={"payload": payload})


def structlog_orjson(directory: Path) -> Log:
    """Set up structlog as its page on performance does."""
    import logging

    import orjson
    import structlog

    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(file=(directory / "log.ndjson").open("ab")),
    )
    logger = structlog.get_logger()
    return lambda payload: logger.info("page_fetched", payload=payload)


def loguru_serialized(directory: Path) -> Log:
    """Set up loguru's own JSON."""
    from loguru import logger

    logger.remove()
    logger.add(directory / "log.ndjson", serialize=True)
    return lambda payload: logger.bind(payload=payload).info("page_fetched")


def opentelemetry_spans(directory: Path) -> Log:
    """Set up a span an event, exported by batches as in production."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    out = (directory / "spans.json").open("w", encoding="utf-8")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=out)))
    tracer = provider.get_tracer("agent")

    def log(payload: dict[str, Any]) -> None:
        span = tracer.start_span("page_fetched")
        span.set_attribute("payload", json.dumps(payload))
        span.end()

    return log


def logfire_local(directory: Path) -> Log:
    """Set up logfire with a local file in the place of its service."""
    import logfire
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    out = (directory / "spans.json").open("w", encoding="utf-8")
    processor = SimpleSpanProcessor(ConsoleSpanExporter(out=out))
    logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[processor])
    return lambda payload: logfire.info("page_fetched", payload=payload)


def wandb_offline(directory: Path) -> Log:
    """Set up a run that is not synced."""
    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=str(directory))
    import wandb

    run = wandb.init(project="agents", dir=str(directory))
    return lambda payload: run.log({"page_fetched": json.dumps(payload)})


def trackio_local(directory: Path) -> Log:
    """Set up a project in a local database."""
    os.environ["TRACKIO_DIR"] = str(directory)
    import trackio

    trackio.init(project="agents")
    return lambda payload: trackio.log({"page_fetched": json.dumps(payload)})


def tensorboardx(directory: Path) -> Log:
    """Set up a writer of event files."""
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(directory))
    return lambda payload: writer.add_text("page_fetched", json.dumps(payload), payload["step"])


def mlflow_sqlite(directory: Path) -> Log:
    """Set up a run in a local database; an event is a tag, for metrics are numbers."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
    mlflow.start_run()
    return lambda payload: mlflow.set_tag(f"event_{payload['mark']}", json.dumps(payload))


PEERS: dict[str, tuple[Callable[[Path], Log], tuple[str, ...]]] = {
    "telemetry_core": (telemetry, ()),
    "logging + json": (standard_logging, ()),
    "structlog + orjson": (structlog_orjson, ("structlog", "orjson")),
    "loguru": (loguru_serialized, ("loguru",)),
    "opentelemetry": (opentelemetry_spans, ("opentelemetry-sdk",)),
    "logfire": (logfire_local, ("logfire",)),
    "wandb offline": (wandb_offline, ("wandb",)),
    "trackio": (trackio_local, ("trackio",)),
    "tensorboardX": (tensorboardx, ("tensorboardX",)),
    "mlflow": (mlflow_sqlite, ("mlflow",)),
}
"""How each is set up, and what of the package index it needs."""


def main(name: str, directory: Path, events: int) -> None:
    """Record so many events, say how long one took, and die."""
    log = PEERS[name][0](directory)
    given = payloads(200)
    for payload in given[:_WARM_UP]:
        log(payload)
    begun = time.perf_counter()
    for number in range(events):
        log({**given[number % len(given)], "mark": f"mark-{number}-"})
    print((time.perf_counter() - begun) / events, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
