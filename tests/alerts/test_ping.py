"""An address is fetched while the daemon works, and nothing waits for it."""

from __future__ import annotations

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from indexer.alerts.ping import Ping
from indexer.alerts.settings.heartbeat import HeartbeatSettings, heartbeat_of
from indexer.alerts.settings.load import load_alerts
from indexer.system.base import Base
from telemetry_core import TelemetryConfig


def test_it_is_sent_once_an_interval() -> None:
    """Asked again at once, it is not due."""
    came = threading.Event()
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            came.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/ping"
        ping = Ping(HeartbeatSettings(url, timedelta(minutes=1)))
        ping.step()
        ping.step()
        assert came.wait(60)
        assert 0 < ping.wait <= 60
        assert ping._thread is not None
        ping._thread.join(60)
        server.shutdown()
        thread.join()
    assert paths == ["/ping"]


def test_an_address_that_does_not_answer_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged without the address, which may be a secret."""
    ping = Ping(HeartbeatSettings("http://127.0.0.1:1/secret", timedelta(minutes=1)))
    ping.step()
    assert ping._thread is not None
    ping._thread.join(60)
    assert "could not be sent" in caplog.text
    assert "secret" not in caplog.text


def test_without_settings_nothing_is_ever_due() -> None:
    """Most daemons send none."""
    ping = Ping(None)
    ping.step()
    assert ping.wait == float("inf")


def test_settings_are_read_and_wrong_ones_reported(tmp_path: Path) -> None:
    """With the address from the environment, as it is a secret."""
    read = heartbeat_of({"url_env": "PING", "every": "5m"}, {"PING": "https://hc.example/x"})
    assert read == HeartbeatSettings("https://hc.example/x", timedelta(minutes=5))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "telemetry.toml").write_text(
        '[heartbeat]\nurl = "https://x"\nevery = "1s"\n'
    )
    loaded = load_alerts(Base(TelemetryConfig.for_base(tmp_path)), {})
    assert loaded.heartbeat is None
    assert "at least 10s" in loaded.problems[0]
