"""Channels: each service gets a message in its own form, and nothing an agent wrote acts there."""

from __future__ import annotations

import asyncio
import json
import smtplib
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from indexer.alerts.message import payload_of_message
from indexer.alerts.settings.channels import InvalidChannel, channel_of
from indexer.alerts.state import Message
from indexer.alerts.trial import try_channel
from indexer.forward.kinds import desktop, mail
from indexer.forward.transport import make_transport
from indexer.outbox.attempt import AttemptResult
from indexer.outbox.parcel import ALERT, Parcel
from indexer.outbox.target import Target

_HOSTILE = "<!channel> @everyone ``` \r\nBcc: x@example.com\x1b[2J"


def _parcel(text: str = _HOSTILE, change: str = "alert.fired") -> Parcel:
    item = {"subject": "cron / nightly", "measured": text, "limit": "no failure"}
    data = {"kind": "failed", "level": "critical", "key": "rule:fired:1", "items": [item]}
    message = Message("rule", change, 1, "2026-01-01T00:00:00.000000Z", data)
    return Parcel(
        "alert:x", "telemetry.alert.rule", 1, "rule:fired:1", payload_of_message(message), 1, ALERT
    )


def _send(channel: Target, parcel: Parcel) -> AttemptResult:
    async def main() -> AttemptResult:
        transport = make_transport(channel)
        try:
            return await transport.send(parcel)
        finally:
            await transport.close()

    return asyncio.run(main())


@contextmanager
def _http(status: int = 200) -> Iterator[tuple[str, list[tuple[str, dict[str, str], Any]]]]:
    received: list[tuple[str, dict[str, str], Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


def _channel(**table: Any) -> Target:
    return channel_of("alert:x", table, {})


def test_a_webhook_gets_the_message_and_its_key() -> None:
    """The key is in a header and in the body."""
    with _http() as (url, received):
        assert _send(_channel(kind="webhook", url=url, token="t"), _parcel()).outcome == "delivered"
    ((_, headers, body),) = received
    assert headers["Idempotency-Key"] == body["id"] == "rule:fired:1"
    assert headers["Authorization"] == "Bearer t"
    assert body["title"].startswith("FIRING: rule: ")


def test_slack_discord_and_ntfy_get_their_own_form() -> None:
    """Nobody is mentioned, whatever a text says."""
    with _http() as (url, received):
        for kind in ("slack", "discord", "ntfy"):
            assert (
                _send(_channel(kind=kind, url=f"{url}/a/topic"), _parcel()).outcome == "delivered"
            )
    (_, _, slack), (_, _, discord), (path, _, ntfy) = received
    assert "<!channel>" not in slack["text"]
    assert {block["text"]["type"] for block in slack["blocks"]} == {"plain_text"}
    assert discord["allowed_mentions"] == {"parse": []}
    assert discord["embeds"][0]["description"].count("```") == 2
    assert (path, ntfy["topic"], ntfy["priority"]) == ("/a", "topic", 5)
    assert "\x1b" not in json.dumps([slack, discord, ntfy])


@pytest.mark.parametrize(
    ("status", "outcome"), [(500, "failed"), (404, "rejected"), (401, "unauthorized")]
)
def test_answers_of_a_chat_are_judged_as_those_of_a_target(status: int, outcome: str) -> None:
    """Temporary, for good, or a matter of credentials."""
    with _http(status) as (url, _):
        assert _send(_channel(kind="slack", url=url), _parcel()).outcome == outcome


class _Smtp(socketserver.StreamRequestHandler):
    """A mail server that takes everything, but for recipients at refused.example."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split()[0].upper()
            if word == "DATA":
                self._say("354 go")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.mails.append(text.decode())  # type: ignore[attr-defined]
                self._say("250 ok")
            elif word == "RCPT" and "refused.example" in line:
                self._say("550 no such user")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def _mail_server() -> Iterator[tuple[str, list[str]]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.daemon_threads = True
        server.mails = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{server.server_address[1]}", server.mails  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def test_an_email_has_a_stable_id_and_no_headers_of_an_agent() -> None:
    """The same key is the same Message-ID; a line break in a text starts no header."""
    with _mail_server() as (url, mails):
        channel = _channel(kind="email", url=url, sender="a@example.com", to=["b@example.com"])
        assert _send(channel, _parcel()).outcome == "delivered"
        assert _send(channel, _parcel()).outcome == "delivered"
        refused = _channel(kind="email", url=url, sender="a@example.com", to=["b@refused.example"])
        assert _send(refused, _parcel()).outcome == "rejected"
    assert len(mails) == 2
    head = mails[0].partition("\r\n\r\n")[0]
    assert "Message-ID: <rule%3Afired%3A1@local-telemetry>" in head
    assert "\r\nBcc:" not in head
    assert "Subject: FIRING: rule: " in head


def test_a_password_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server offers no encryption, the attempt fails instead."""
    with _mail_server() as (url, mails):
        monkeypatch.setattr(mail, "_LOOPBACK", ())
        logins: list[Any] = []
        monkeypatch.setattr(smtplib.SMTP, "login", lambda *given: logins.append(given))
        channel = _channel(
            kind="email",
            url=url,
            sender="a@example.com",
            to=["b@example.com"],
            user="u",
            password="secret",
        )
        result = _send(channel, _parcel())
    assert (result.outcome, logins, mails) == ("failed", [], [])


def test_a_command_gets_the_message_and_decides_by_its_exit_code(tmp_path: Path) -> None:
    """Without a shell: what an agent wrote is never part of a command line."""
    out = tmp_path / "out"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    channel = _channel(kind="command", command=[sys.executable, "-c", code, str(out)])
    assert _send(channel, _parcel()).outcome == "delivered"
    assert out.read_bytes() == _parcel().payload
    failing = _channel(kind="command", command=[sys.executable, "-c", "raise SystemExit(3)"])
    assert _send(failing, _parcel()) == AttemptResult("failed", "exit code 3")
    assert _send(_channel(kind="command", command=["/no/such"]), _parcel()).outcome == "failed"


def test_a_notification_is_arguments_and_never_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux and macOS; elsewhere the channel says what it needs."""
    calls: list[list[str]] = []

    def run(arguments: list[str], _payload: bytes, _timeout: float) -> AttemptResult:
        calls.append(arguments)
        return AttemptResult("delivered", "")

    monkeypatch.setattr(desktop, "run_command", run)
    for platform in ("linux", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        _send(_channel(kind="desktop"), _parcel())
    linux, macos = calls
    assert linux[:2] == ["notify-send", "-a"]
    assert "FIRING" in linux[-2]
    assert macos[0] == "osascript"
    assert "FIRING" in macos[-2]
    assert not any("FIRING" in part for part in macos[:-2])


# A library that Apprise imports is out of date; our code is not concerned.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_sends_what_it_is_given() -> None:
    """By its own JSON plugin, to a server here."""
    pytest.importorskip("apprise", reason="needs the extra alerts")
    with _http() as (url, received):
        channel = _channel(kind="apprise", url=url.replace("http://", "json://"))
        assert _send(channel, _parcel()).outcome == "delivered"
    assert received[0][2]["title"].startswith("FIRING: rule: ")


def test_a_test_message_says_that_it_is_one(tmp_path: Path) -> None:
    """And goes the way that alerts go."""
    with _http() as (url, received):
        assert try_channel(_channel(kind="webhook", url=url)).outcome == "delivered"
    assert received[0][2]["alerts"][0]["measured"] == "this is a test"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "fax"}, "kind is 'fax'"),
        ({"kind": "webhook"}, "it needs url"),
        ({"kind": "webhook", "url": "ftp://x"}, "not an http"),
        ({"kind": "webhook", "url_env": "NOT_SET"}, "not set"),
        ({"kind": "slack", "url": "https://x/y", "topic": "z"}, "unknown setting 'topic'"),
        ({"kind": "email", "url": "smtp://x", "sender": "a\nb", "to": ["c"]}, "line break"),
        ({"kind": "command", "command": []}, "it needs command"),
        ({"kind": "desktop", "timeout": 0}, "timeout"),
        ([], "as a table"),
    ],
)
def test_a_channel_that_makes_no_sense_says_why(table: Any, message: str) -> None:
    """Without showing a value that may be a secret."""
    with pytest.raises(InvalidChannel, match=message):
        channel_of("alert:x", table, {})
