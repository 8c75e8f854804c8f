"""A web application: a run for each request that does work in the background.

Recording costs some microseconds and never raises, so a handler can do it inline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from telemetry_core import TelemetryClient

client = TelemetryClient()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request (WSGI), recorded as a run."""
    path = environ.get("PATH_INFO", "/")
    with client.track_run("web", "request", trigger_type="web", input_summary=path) as run:
        with run.span("render", path=path):
            body = f"You asked for {path}\n".encode()
        run.set_metrics(output_bytes=len(body))
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [body]


def main() -> None:
    """Serve one request, as a WSGI server does."""
    body = application({"PATH_INFO": "/hello"}, lambda status, headers: print(status))
    print(b"".join(body).decode(), end="")


if __name__ == "__main__":
    main()
