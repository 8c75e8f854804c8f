"""`telemetry status --prometheus` is what Prometheus' own parser reads."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from indexer.system.base import DAEMON, Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import Cli
from tests.support.process import ROOT, environment


def families(text):
    """Every metric by name, as the parser sees it."""
    assert text.endswith("\n")
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(text):
    """Every sample's value by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(text).values()
        for sample in family.samples
    }


def test_every_metric_has_a_type_a_meaning_and_a_base_unit(base, client, capsys):
    """Nothing in milliseconds, days or kilobytes, and no metric given twice."""
    client.start_run("agent", "job")
    text = Cli(base, capsys)("status", "--prometheus", "--integrity").out
    found = families(text)
    assert len(found) == text.count("# TYPE ") == text.count("# HELP ")
    for name, family in found.items():
        assert name.startswith("telemetry_")
        assert family.documentation
        assert family.type in ("gauge", "counter")
        assert not {"days", "ms", "kb", "minutes"} & set(name.split("_"))


def test_the_numbers_are_those_of_the_status(base, client, capsys):
    """Runs, lines, lag, quarantine, drops, last activity, integrity."""
    cli = Cli(base, capsys)
    began = time.time()
    client.end_run(client.start_run("agent", "job"))
    client.start_run("agent", "job")
    (base / "raw" / "events_20200101.ndjson").write_bytes(b"garbage\n")
    ran = cli("status", "--prometheus", "--integrity")
    assert ran.code == 3
    found = values(ran.out)
    assert found["telemetry_degraded",] == found["telemetry_problems",] == 1
    assert found["telemetry_runs", "success"] == found["telemetry_runs", "running"] == 1
    assert found["telemetry_log_lines", "indexed"] == 3
    assert found["telemetry_quarantined_lines_new",] == 1
    assert found["telemetry_lag_bytes",] == found["telemetry_lag_seconds",] == 0
    assert found["telemetry_writer_dropped_events_total",] == 0
    assert found["telemetry_database_intact",] == 1
    assert found["telemetry_daemon_running",] == 0
    assert began - 1 <= found["telemetry_last_event_timestamp_seconds",] <= time.time()
    assert found["telemetry_log_growth_bytes_per_second",] > 0


def test_a_daemon_shows(base, client, capsys):
    """Whether it has the base now."""
    cli = Cli(base, capsys)
    client.start_run("agent", "job")
    cli("index")
    with Base(client.config).indexer_lease(DAEMON):
        assert values(cli("status", "--prometheus").out)["telemetry_daemon_running",] == 1


@pytest.mark.needs("paths")
def test_labels_are_escaped(tmp_path, capsys):
    """A base, or a status that some agent made up, can't break out of its label."""
    base = tmp_path / 'a "quoted" \\ base'
    status = 'odd "status" \\ of\ntwo lines'
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
    client.end_run(client.start_run("agent", "job"), status=status)
    found = values(Cli(base, capsys)("status", "--prometheus").out)
    assert found["telemetry_runs", status] == 1
    assert any(key[:2] == ("telemetry_info", str(base)) for key in found)


def test_an_empty_base_is_valid_too(base, capsys):
    """What is not known is left out, rather than given as nothing."""
    ran = Cli(base, capsys)("status", "--prometheus")
    assert ran.code == 0
    # The parser would take a counter by another name as well.
    assert "\ntelemetry_writer_dropped_events_total 0.0\n" in ran.out
    assert ("telemetry_last_event_timestamp_seconds",) not in values(ran.out)


def test_the_script_works_in_a_checkout(base):
    """tools/monitor_telemetry_health.py is the command by its earlier name."""
    script = str(ROOT / "tools" / "monitor_telemetry_health.py")
    done = subprocess.run(
        [sys.executable, script, "--base", str(base), "--prometheus"],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0
    assert values(done.stdout)["telemetry_degraded",] == 0


@pytest.mark.parametrize("number", [0, 1])
def test_flags_are_numbers(base, client, capsys, number):
    """Prometheus knows no true and false."""
    client.start_run("agent", "job")
    if number:
        (base / "raw" / "x.ndjson").write_bytes(b"garbage\n")
    text = Cli(base, capsys)("status", "--prometheus").out
    assert f"telemetry_degraded {number}.0\n" in text
