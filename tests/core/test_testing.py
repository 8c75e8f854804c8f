from __future__ import annotations

import os

import pytest

from telemetry_core import TelemetryClient
from telemetry_core.testing import recording


def test_a_recording_reads_back_what_was_logged():
    """Runs, payloads and events, in order, by type and by run."""
    with recording() as recorded:
        with recorded.client.track_run("a", "j", product="p") as ctx:
            ctx.log_events([("step", 1), ("other", 2), ("step", 3)])
        assert recorded.run()["status"] == "success"
        assert recorded.run(ctx.run_id)["product"] == "p"
        assert recorded.payloads("step") == [1, 3]
        assert recorded.run_ids() == [ctx.run_id]
        assert len(recorded.events()) == 5
        assert len(recorded.events("run.event", ctx.run_id)) == 3
        assert recorded.events(run_id="other") == []


def test_clients_made_inside_record_there_and_nothing_stays(monkeypatch):
    """The environment points to the recording, and afterwards to where it did before."""
    monkeypatch.setenv("TELEMETRY_DB_PATH", "/elsewhere/db/x")
    before = dict(os.environ)
    with recording() as recorded:
        TelemetryClient().log_event("run", "e", "seen")
        assert recorded.payloads("e") == ["seen"]
        assert recorded.base.is_dir()
    assert dict(os.environ) == before
    assert not recorded.base.exists()


def test_a_named_base_is_kept(tmp_path):
    """For a look afterwards."""
    with recording(tmp_path) as recorded:
        recorded.client.log_event("run", "e", 1)
    assert recorded.payloads("e") == [1]


def test_asking_for_a_run_that_is_not_clear_raises():
    """None, two, or one that was never heard of."""
    with recording() as recorded:
        with pytest.raises(LookupError, match="0 runs"):
            recorded.run()
        recorded.client.start_run("a", "j")
        recorded.client.start_run("a", "j")
        with pytest.raises(LookupError, match="2 runs"):
            recorded.run()
        with pytest.raises(LookupError, match="unknown"):
            recorded.run("unknown")


@pytest.mark.needs("descriptors")
def test_a_hundred_recordings_leave_no_descriptor_open():
    """A long session of tests does not run out of them."""

    def count():
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(100):
        with recording() as recorded:
            recorded.client.log_event("run", "e")
    assert count() <= before + 2


def test_the_fixture_is_there_without_asking(telemetry_recording, tmp_path):
    """The installed package brings it."""
    with TelemetryClient().track_run("a", "j"):
        pass
    assert telemetry_recording.run()["status"] == "success"
    assert telemetry_recording.base == tmp_path / "telemetry"


def test_a_client_made_before_records_there_as_well(base, log):
    """As one at the top of a module; before and afterwards it has its own log."""
    client = TelemetryClient(base)
    client.log_event("run", "e", "before")
    with recording() as outer:
        client.log_event("run", "e", "inside")
        with recording() as inner:
            client.log_event("run", "e", "deep")
            outer.client.log_event("run", "e", "outer's own")
            assert inner.payloads("e") == ["deep"]
        client.log_event("run", "e", "inside again")
        assert outer.payloads("e") == ["inside", "outer's own", "inside again"]
    client.log_event("run", "e", "after")
    assert log.payloads() == ["before", "after"]


def test_spans_and_counters_are_read_back():
    """A span is its start with what its end says; counters are sums."""
    with recording() as recorded:
        with recorded.client.track_run("a", "j", items_failed=1) as run:
            with run.span("s", a=1) as step:
                step.set(b=2)
            run.span("open").start()
            run.add(items_failed=2, hits=1)
        done, still_open = recorded.spans()
        assert (done["status"], done["attributes"]) == ("ok", {"a": 1, "b": 2})
        assert (still_open["name"], "status" in still_open) == ("open", False)
        assert (recorded.run()["items_failed"], recorded.run()["hits"]) == (3, 1)
