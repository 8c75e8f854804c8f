"""logging and structlog: what is logged inside a run is among its events."""

from __future__ import annotations

import logging

import pytest

from telemetry_core.integrations.logging_handler import TelemetryHandler
from telemetry_core.integrations.structlog_processor import TelemetryProcessor


@pytest.fixture
def logger():
    logger = logging.getLogger("an.agent")
    handler = TelemetryHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger
    logger.removeHandler(handler)


def test_records_inside_a_run_are_its_events(client, log, logger):
    """With level, logger, message, extra and exception; outside of a run nothing."""
    logger.warning("outside")
    with client.track_run("a", "j") as run:
        logger.warning("disk at %d %%", 90, extra={"disk": "/"})
        logger.debug("below the level")
        try:
            raise ValueError("x" * 100_000)
        except ValueError:
            logger.exception("failed")
    first, second = log.payloads()
    assert {event.run_id for event in log.events()} == {run.run_id}
    assert ".py:" in first.pop("location")
    assert first == {
        "level": "WARNING",
        "logger": "an.agent",
        "message": "disk at 90 %",
        "extra": {"disk": "/"},
    }
    assert second["level"] == "ERROR"
    assert len(second["exception"]) < 21_000


def test_a_record_that_cannot_be_formatted_is_loggings_own_to_report(client, log, capsys):
    """And nothing is raised."""
    record = logging.makeLogRecord({"name": "x", "msg": "%d", "args": ("no number",)})
    with client.track_run("a", "j"):
        TelemetryHandler().handle(record)
    assert log.payloads() == []
    assert "Logging error" in capsys.readouterr().err


def test_our_own_warnings_make_no_events(client, log):
    """They are about events that cannot be written."""
    handler = TelemetryHandler()
    own = logging.getLogger("telemetry_core")
    own.addHandler(handler)
    try:
        with client.track_run("a", "j"):
            own.warning("no")
    finally:
        own.removeHandler(handler)
    assert log.payloads() == []


def test_structlogs_events_pass_and_are_recorded(client, log):
    """By the real library, with bound values and an exception."""
    structlog = pytest.importorskip("structlog")
    seen = []

    def last(_logger, _name, event_dict):
        seen.append(dict(event_dict))
        raise structlog.DropEvent

    logger = structlog.wrap_logger(None, processors=[TelemetryProcessor(), last], user="u")
    logger.info("outside")
    with client.track_run("a", "j"):
        logger.warning("low", disk=90)
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("failed")
        logger.error("by hand", exc_info=ValueError("given"))
    assert [event["event"] for event in seen] == ["outside", "low", "failed", "by hand"]
    low, failed, by_hand = log.payloads()
    assert low == {"user": "u", "disk": 90, "message": "low", "level": "warning"}
    assert "ValueError: no" in failed["exception"]
    assert by_hand["exception"] == "ValueError: given\n"
