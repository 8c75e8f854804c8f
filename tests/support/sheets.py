"""Google as a web app of Apps Script shows it: a proxy that is script.google.com, over TLS.

The POST is executed and answered with a redirect to a second host, where the script's answer can
be had by GET alone. Rows are counted; what should not have been asked for is a fault.
"""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from pathlib import Path
from typing import Any

_ECHO = "https://script.googleusercontent.com/macros/echo?user_content_key=ech0-s3cret"
HOSTS = "DNS:script.google.com,DNS:script.googleusercontent.com"


class Google:
    """The emulator, for the length of a block."""

    def __init__(self, certificate: Path, token: str) -> None:
        self.token = token
        self.ways: list[str] = []
        """How to answer the next calls; `works` when there are no more."""
        self.rows: list[dict[str, Any]] = []
        self.calls = 0
        self.faults: list[str] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self._answers: dict[str, bytes] = {}

    def __enter__(self) -> Google:
        google = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                google._connected(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.proxy = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _connected(self, handler: socketserver.StreamRequestHandler) -> None:
        host = _head(handler.rfile)[0].split()[1]
        if host not in ("script.google.com:443", "script.googleusercontent.com:443"):
            self.faults.append(f"went to {host}")
            return
        handler.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        try:
            with self.context.wrap_socket(handler.connection, server_side=True) as secure:
                stream = secure.makefile("rwb")
                while head := _head(stream):
                    stream.write(self._answer(host, head, stream))
                    stream.flush()
        except (OSError, ValueError):
            pass

    def _answer(self, host: str, head: list[str], stream: Any) -> bytes:
        method, path, _ = head[0].split()
        length = next(
            (int(line.split(":")[1]) for line in head if line.lower().startswith("content-length")),
            0,
        )
        body = stream.read(length)
        if host.startswith("script.googleusercontent"):
            if method != "GET" or "user_content_key" not in path:
                self.faults.append(f"{method} {path} of the second host")
                return _reply("405 Not Allowed")
            return self._answers.pop(path)
        if method != "POST":
            self.faults.append(f"{method} of the first host")
        return self._execute(json.loads(body))

    def _execute(self, message: dict[str, Any]) -> bytes:
        self.calls += 1
        way = self.ways.pop(0) if self.ways else "works"
        page = _reply("200 OK", "Content-Type: text/html", body=b"<html>Script error</html>")
        if way == "page":
            return page
        if way in ("elsewhere", "plain"):
            place = {"elsewhere": "https://example.com/x", "plain": "http://script.google.com/x"}
            return _reply("302 Moved", f"Location: {place[way]}")
        said = self._run(message, way)
        lost = {
            "lost": _reply("500 Oops"),
            "unreadable": _reply("200 OK", body=b'{"ok":tr'),
            "page instead": page,
            "another": _reply("200 OK", body=b'{"ok":true,"keys":[]}'),
        }
        place = f"{_ECHO}{self.calls}"
        said_of_it = lost.get(way) or _reply("200 OK", body=json.dumps(said).encode())
        self._answers[place.partition(".com")[2]] = said_of_it
        return _reply("302 Moved Temporarily", f"Location: {place}")

    def _run(self, message: dict[str, Any], way: str) -> dict[str, Any]:
        if message["token"] != self.token:
            return {"ok": False, "error": "token"}
        if way in ("busy", "rows"):
            return {"ok": False, "error": way}
        known = {row["key"] for row in self.rows}
        self.rows += [row for row in message["rows"] if row["key"] not in known]
        return {"ok": True, "keys": [row["key"] for row in message["rows"]]}


def _head(stream: Any) -> list[str]:
    lines = []
    while line := stream.readline().decode().strip():
        lines.append(line)
    return lines


def _reply(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
