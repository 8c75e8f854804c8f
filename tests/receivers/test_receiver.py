"""Receiving OTLP: what is in the log when the answer is 200, and what answers what."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info < (3, 10):
    pytest.skip("the receiver needs Python 3.10", allow_module_level=True)

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from indexer.receivers import app as app_module
from indexer.receivers import body as body_module
from indexer.receivers import server as server_module
from indexer.receivers.access import Access
from indexer.receivers.server import ReceiverServer
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.daemon import eventually
from tests.support.log import Log
from tests.support.oracle import judge
from tests.support.process import environment
from tests.support.receiver import (
    JSON,
    TRACE,
    Sender,
    attribute,
    logs,
    receiving,
    span,
    traces,
)
from tests.support.secrets import SECRETS

# Without a time: it is part of a test's name.
_CUT = gzip.compress(b"{}", mtime=0)[:-4]
PROTOBUF = {"content-type": "application/x-protobuf"}


def test_a_receiver_that_cannot_read_protobuf_does_not_start(base: Path) -> None:
    """Where the extra `ui` brings the server alone, every exporter would be refused."""
    code = (
        "import sys; sys.modules['opentelemetry.proto'] = None;"
        "sys.argv[1:] = ['receive', '--port', '0'];"
        "from indexer.cli.main import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env=environment(TELEMETRY_BASE_DIR=str(base)),
        timeout=60,
    )
    assert ran.returncode == 1
    assert "pip install 'local-telemetry[receive]'" in ran.stderr


@pytest.fixture
def send(base: Path):
    """Sends to a receiver of `base`."""
    with receiving(base) as sender:
        yield sender


def _protobuf_traces() -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    pair = resource.resource.attributes.add(key="service.name")
    pair.value.string_value = "agent"
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "s", "1"
    scope.spans.add(
        trace_id=bytes.fromhex(TRACE),
        span_id=(1).to_bytes(8, "big"),
        name="chat",
        kind=3,
        start_time_unix_nano=1790000000000000000,
        end_time_unix_nano=1790000001000000000,
    )
    return request.SerializeToString()


def test_a_span_is_in_the_log_when_it_is_answered(send: Sender, log: Log) -> None:
    """As an event that follows from the record alone; sent again it is the same one."""
    for _ in range(2):
        assert send("/v1/traces", traces(span())).status == 200
    first, second = log.events()
    assert first == second
    assert (first.id, first.run_id) == (f"otel-{TRACE}-{1:016x}", f"trace-{TRACE}")
    assert (first.type, first.source) == ("otel.span", "telemetry/receive")
    assert first.time == "2026-09-21T14:13:20.000000Z"
    assert first.data["span"]["name"] == "chat"
    assert first.data["resource"]["attributes"] == [attribute("service.name", "agent")]


def test_protobuf_and_json_are_one_record(send: Sender, log: Log) -> None:
    """The same bytes, whatever carried them and however their sender spells what says nothing."""
    assert send("/v1/traces", _protobuf_traces(), PROTOBUF).body == b""
    nothing = {"traceState": "", "droppedLinksCount": 0, "status": {}, "flags": 0, "events": None}
    shouting = span(
        traceId=TRACE.upper(), startTimeUnixNano=1790000000000000000, attributes=[], **nothing
    )
    assert send("/v1/traces", traces(shouting)).body == b"{}"
    packed = gzip.compress(_protobuf_traces())
    assert send("/v1/traces", packed, {**PROTOBUF, "content-encoding": "gzip"}).status == 200
    lines = log.bytes().splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1


def test_log_records_are_told_apart_by_all_that_they_say(send: Sender, log: Log) -> None:
    """Two that are equal are one; the time of observing is a difference."""
    record = {"observedTimeUnixNano": "1790000000000000001", "body": {"stringValue": "x"}}
    other = {**record, "observedTimeUnixNano": "1790000000000000002"}
    in_protobuf = ExportLogsServiceRequest()
    one = (
        in_protobuf.resource_logs.add()
        .scope_logs.add()
        .log_records.add(observed_time_unix_nano=1790000000000000001)
    )
    one.body.string_value = "x"
    assert send("/v1/logs", logs(record, other)).status == 200
    assert send("/v1/logs", in_protobuf.SerializeToString(), PROTOBUF).status == 200
    ids = [event.id for event in log.events()]
    assert (len(ids), len(set(ids))) == (3, 2)
    assert {event.run_id for event in log.events()} == {"telemetry.unassigned"}


def test_what_has_no_valid_id_is_refused_and_counted(send: Sender, log: Log) -> None:
    """The others are taken; the client learns not to send it again."""
    bad = [span(traceId="0" * 32), span(spanId="xyz"), span(spanId=None), "no object", span(7)]
    answer = send("/v1/traces", traces(*bad))
    assert answer.status == 200
    assert answer.json["partialSuccess"]["rejectedSpans"] == "4"
    assert [event.id for event in log.events()] == [f"otel-{TRACE}-{7:016x}"]
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="no id")
    answered = ExportTraceServiceResponse()
    answered.ParseFromString(send("/v1/traces", request.SerializeToString(), PROTOBUF).body)
    assert answered.partial_success.rejected_spans == 1
    assert "without a valid id" in answered.partial_success.error_message


def test_metrics_are_counted_and_dropped_and_that_is_said_once(send: Sender, log: Log) -> None:
    """Not each time: some programs print every answer."""
    request = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a"}, {"name": "b"}]}]}]}
    first = send("/v1/metrics", request).json["partialSuccess"]
    assert first["rejectedDataPoints"] == "0"
    assert "metrics are not kept" in first["errorMessage"]
    assert send("/v1/metrics", request).json == {}
    assert send.server.receiver.metrics_dropped == 4
    assert not log.files()


@pytest.mark.parametrize(
    ("path", "body", "headers", "method", "status"),
    [
        ("/v1/traces", b"", JSON, "POST", 400),
        ("/v1/traces", b"{}", JSON, "POST", 200),
        ("/v1/traces", b"", PROTOBUF, "POST", 200),
        ("/v1/traces", b"{}", {"content-type": "application/json; charset=utf-8"}, "POST", 200),
        ("/v1/traces", b"[]", JSON, "POST", 400),
        ("/v1/traces", b'{"resourceSpans":{}}', JSON, "POST", 400),
        ("/v1/traces", b"{broken", JSON, "POST", 400),
        ("/v1/traces", b"\xff\xff\xff", PROTOBUF, "POST", 400),
        ("/v1/traces", b"not gzip", {**JSON, "content-encoding": "gzip"}, "POST", 400),
        ("/v1/traces", _CUT, {**JSON, "content-encoding": "gzip"}, "POST", 400),
        ("/v1/traces", b"{}", {**JSON, "content-encoding": "br"}, "POST", 415),
        ("/v1/traces", b"{}", {"content-type": "text/plain"}, "POST", 415),
        ("/v1/traces", b"{}", {}, "POST", 415),
        ("/v1/nothing", b"{}", JSON, "POST", 404),
        ("/v1/traces", b"", JSON, "GET", 405),
        ("/v1/traces", b"{}", {**JSON, "origin": "http://127.0.0.1"}, "POST", 403),
        ("/v1/traces", b"{}", {**JSON, "host": "evil.example"}, "POST", 403),
        ("/v1/traces", b"{}", {**JSON, "host": "localhost.evil.example:4318"}, "POST", 403),
        ("/v1/logs", b'{"resourceLogs":' + b"[" * 900 + b"]" * 900 + b"}", JSON, "POST", 200),
        ("/v1/traces", b'{"resourceSpans":' + b"[" * 2000 + b"]" * 2000 + b"}", JSON, "POST", 400),
    ],
)
def test_each_request_has_its_answer(  # noqa: PLR0917  # a row of the table
    send, log, path, body, headers, method, status
) -> None:
    """As the protocol has it; an error has the form of the request."""
    answer = send(path, body, headers, method)
    assert answer.status == status
    if status == 400 and headers.get("content-type") == JSON["content-type"]:
        assert answer.json["message"]
    assert not log.files()
    assert send("/v1/traces", traces(span())).status == 200, "it goes on"


def test_a_record_that_nests_too_deep_is_refused(send: Sender, log: Log) -> None:
    """As protobuf refuses it; what nests as deep as protobuf allows is a line like others."""

    def nested(levels: int) -> dict:
        value: dict = {"intValue": "1"}
        for _ in range(levels):
            value = {"arrayValue": {"values": [value]}}
        return span(attributes=[{"key": "a", "value": value}])

    assert send("/v1/traces", traces(nested(80))).status == 400
    assert send("/v1/traces", traces(nested(40))).status == 200
    assert len(log.events()) == 1
    assert log.torn() == []


def test_a_body_is_bounded_before_and_after_it_is_decompressed(send: Sender, monkeypatch) -> None:
    """A bomb of gzip costs no more than what is allowed, and neither does an honest length."""
    bomb = zlib.compressobj(9, wbits=31)
    packed = bomb.compress(b" " * (21 * 1024 * 1024)) + bomb.flush()
    assert len(packed) < 100_000
    assert send("/v1/traces", packed, {**JSON, "content-encoding": "gzip"}).status == 413
    monkeypatch.setattr(app_module, "MOST_BYTES", 1000)
    assert send("/v1/traces", b" " * 1001, JSON).status == 413
    monkeypatch.setattr(body_module, "MOST_BYTES", 1000)
    assert send("/v1/traces", iter([b" " * 600, b" " * 600]), JSON).status == 413


def test_all_bodies_together_are_bounded(base: Path, monkeypatch) -> None:
    """Who comes when there is no room is asked to come again."""
    monkeypatch.setattr(body_module, "MOST_BYTES_OF_ALL", 1000)
    with receiving(base) as send:
        send.server.receiver._allowance._left = 1000
        answer = send("/v1/traces", b" " * 1001, JSON)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert send("/v1/traces", traces(span())).status == 200
        assert send.server.receiver._allowance._left == 1000, "it is given back"


def test_chunked_bodies_are_read(send: Sender, log: Log) -> None:
    """JavaScript's exporter sends no length."""
    body = orjson.dumps(traces(span()))
    with socket.create_connection(("127.0.0.1", send.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" % send.port
        )
        for start in range(0, len(body), 50):
            piece = body[start : start + 50]
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(log.events()) == 1


def test_nothing_is_acknowledged_that_could_not_be_written(base: Path, log: Log) -> None:
    """The client is asked to send it again, and then it is there."""
    base.mkdir()
    (base / "raw").write_text("no directory")
    with receiving(base) as send:
        answer = send("/v1/traces", traces(span()))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        (base / "raw").unlink()
        assert send("/v1/traces", traces(span())).status == 200
        assert {event.id for event in log.events()} == {f"otel-{TRACE}-{1:016x}"}


def test_what_was_not_foreseen_is_asked_for_again(send: Sender, monkeypatch) -> None:
    """A refusal would be the end of these records."""
    monkeypatch.setattr(app_module, "lines_of", lambda *_: 1 / 0)
    assert send("/v1/traces", traces(span())).status == 503


def test_secrets_do_not_reach_the_disk(send: Sender, log: Log) -> None:
    """By their shape, and by the name of the attribute; the id is that of the source."""
    secret = SECRETS[0][1]
    reported = span(
        attributes=[attribute("x", secret), attribute("http.request.header.cookie", "a=1")]
    )
    assert send("/v1/traces", traces(reported)).status == 200
    assert secret.encode() not in log.bytes()
    assert b"a=1" not in log.bytes()
    (event,) = log.events()
    assert event.data["span"]["attributes"][1]["value"]["stringValue"] == "[redacted:cookie]"


def test_others_need_a_token(base: Path, tmp_path: Path) -> None:
    """An address that they can reach needs one; where there is one, all have to show it."""
    with pytest.raises(ValueError, match="TELEMETRY_RECEIVE_TOKEN"):
        ReceiverServer(Base.at(base), "0.0.0.0", 0)
    with pytest.raises(ValueError, match="16 characters"):
        Access("127.0.0.1", 1, "short")
    token = "a-token-of-our-own"
    with receiving(base, token) as send:
        for given in ({}, {"authorization": "Bearer another"}, {"authorization": token}):
            assert send("/v1/traces", traces(span()), given).status == 401
        given = {"authorization": f"Bearer {token}"}
        assert send("/v1/traces", traces(span()), given).status == 200


def test_many_at_once_in_any_order_give_the_same_rows(base: Path, send: Sender, log: Log) -> None:
    """Repeated, split, concurrent: the oracle finds each span once."""
    batches = [traces(*(span(n) for n in range(start, start + 5))) for start in range(1, 40, 3)]
    failed: list[int] = []

    def run(number: int) -> None:
        for batch in batches[number:] + batches[:number]:
            status = send("/v1/traces", batch).status
            if status != 200:
                failed.append(status)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert judge(TelemetryConfig.for_base(base)) == len({event.id for event in log.events()}) == 41


@contextlib.contextmanager
def _receiver(base: Path) -> Iterator[tuple[Sender, int]]:
    """A receiver in a process of its own, killed at the end of the block, and its pid."""
    process = subprocess.Popen(
        [sys.executable, "-m", "indexer", "--base", str(base), "receive", "--port", "0"],
        stderr=subprocess.PIPE,
        env=environment(PYTHONWARNINGS="default"),
    )
    assert process.stderr is not None
    sender = Sender.__new__(Sender)
    sender.port = int(process.stderr.readline().decode().rsplit(":", 1)[1])

    def answers() -> bool:
        with contextlib.suppress(ConnectionError):
            return sender("/v1/traces", traces()).status == 200
        return False

    try:
        eventually(answers)
        yield sender, process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.stderr.close()
        process.wait(60)


def _peak_megabytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if "VmHWM" in line)


@pytest.mark.needs("proc")
def test_two_hundred_slow_connections_and_bombs_take_bounded_memory(base: Path) -> None:
    """200 MB offered and never finished, and bombs of 1 GB: what is allowed to bodies, no more."""
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(b" " * 1024 * 1024) for _ in range(1024)) + bomb.flush()
    with _receiver(base) as (send, pid), contextlib.ExitStack() as slow:
        before = _peak_megabytes(pid)
        head = (
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2000000\r\n\r\n" % send.port
        )
        for _ in range(200):
            address = ("127.0.0.1", send.port)
            connection = slow.enter_context(socket.create_connection(address, timeout=30))
            connection.sendall(head)
            with contextlib.suppress(ConnectionError):  # one of those that are sent away
                connection.sendall(b" " * 1_000_000)
        for _ in range(3):
            assert send("/v1/traces", packed, {**JSON, "content-encoding": "gzip"}).status != 200
        assert _peak_megabytes(pid) - before < 64 + 90
        slow.close()
        eventually(lambda: send("/v1/traces", traces(span())).status == 200)


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_kill_after_the_answer_loses_nothing(base: Path, log: Log) -> None:
    """What was answered is in the log, though the receiver was killed at that moment."""
    with _receiver(base) as (sender, _):
        assert sender("/v1/traces", traces(span(9))).status == 200
    assert [event.id for event in log.events()] == [f"otel-{TRACE}-{9:016x}"]


def test_slow_connections_share_what_there_is_and_give_it_back(base: Path) -> None:
    """Forty bodies that do not end keep others from memory, not from an answer."""
    with receiving(base) as send:
        allowance = send.server.receiver._allowance
        allowance._left = 400_000
        head = (
            b"POST /v1/traces HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n" % send.port
        )
        slow = [socket.create_connection(("127.0.0.1", send.port)) for _ in range(40)]
        for connection in slow:
            connection.sendall(head + b" " * 20_000)
        answers = [connection.recv(15) for connection in slow[-1:]]
        assert answers == [b"HTTP/1.1 503 Se"]
        assert allowance._left >= 0
        for connection in slow:
            connection.close()
        eventually(lambda: allowance._left == 400_000)
        assert send("/v1/traces", traces(span())).status == 200


def test_a_client_that_says_nothing_is_not_waited_for(base: Path, monkeypatch) -> None:
    """Half a head, or none: the connection is closed, and what has come late is answered."""
    monkeypatch.setattr(server_module, "_HEAD_SECONDS", 0.2)
    with receiving(base) as send:
        for said in (b"", b"POST /v1/traces HTTP/1.1\r\nHost:"):
            with socket.create_connection(("127.0.0.1", send.port), timeout=30) as connection:
                connection.sendall(said)
                with contextlib.suppress(ConnectionResetError):
                    assert connection.recv(100) == b""
        monkeypatch.setattr(body_module, "SECONDS", 0.2)
        with socket.create_connection(("127.0.0.1", send.port), timeout=30) as connection:
            connection.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 9\r\n"
                b"Content-Type: application/json\r\n\r\n{" % send.port
            )
            assert connection.recv(15) == b"HTTP/1.1 408 Re"
