"""Decode the body of a request, protobuf or JSON, to its OTLP/JSON object.

Called by the application, in a thread. The Content-Type decides how, never the bytes.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_IDENTIFIERS = ("traceId", "spanId", "parentSpanId")


class NotDecodable(ValueError):
    """The body is not what its Content-Type says; the message says what is wrong with it."""


def decode(signal: str, kind: str, body: bytes) -> dict[str, Any]:
    """Return a request of `signal`: traces, logs or metrics. Raises NotDecodable."""
    return _from_protobuf(signal, body) if kind == PROTOBUF else _from_json(body)


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotDecodable(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise NotDecodable("not an object")
    return value


def _from_protobuf(signal: str, body: bytes) -> dict[str, Any]:
    # Imported here: a receiver that is only sent JSON needs none of it.
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError

    message = _request(signal)
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise NotDecodable(f"not protobuf: {error}") from None
    try:
        value: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    except RecursionError:
        raise NotDecodable("the request nests too deep") from None
    for one in _records(value):
        _spell_identifiers(one)
    return value


def _request(signal: str) -> Any:
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

        return traces.ExportTraceServiceRequest()
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs

        return logs.ExportLogsServiceRequest()
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics

    return metrics.ExportMetricsServiceRequest()


def _records(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all that has identifiers: spans, their links, log records."""
    found: list[dict[str, Any]] = []
    for resource in (*request.get("resourceSpans", ()), *request.get("resourceLogs", ())):
        for scope in (*resource.get("scopeSpans", ()), *resource.get("scopeLogs", ())):
            for one in (*scope.get("spans", ()), *scope.get("logRecords", ())):
                found += (one, *one.get("links", ()))
    return found


def _spell_identifiers(record: dict[str, Any]) -> None:
    """OTLP's own JSON writes identifiers in hexadecimal, protobuf's JSON as base64."""
    for name in _IDENTIFIERS:
        if name in record:
            try:
                record[name] = base64.b64decode(record[name], validate=True).hex()
            except binascii.Error:
                # Not what the library writes.
                del record[name]
