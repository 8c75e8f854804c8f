"""The real engine behind a small HTTP front, as a process: `python -m` this module DIRECTORY PORT.

It prints its port once it answers. One directory is one server: killed and started again there, it
has what it had acknowledged. `/_plan` says how the next requests fail; `/_requests` what was asked.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable
from urllib.parse import parse_qs, urlsplit

import zstandard
from chdb import session

_CODE = re.compile(r"Code: (\d+)")
_INSERT = re.compile(r"INSERT INTO (\S+) \((.*)\) FORMAT Native")
# Of what a request sets, this is what a result depends on here.
_HONOURED = (
    "mutations_sync",
    "allow_nondeterministic_mutations",
    "readonly",
    "max_execution_time",
    "max_result_bytes",
    "max_result_rows",
    "output_format_json_validate_utf8",
)
_PLAIN: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
}
_STATUS = {"60": 404, "81": 404, "192": 404, "516": 403, "497": 500, "62": 400, "117": 400}


class Engine:
    """The engine, which takes one statement at a time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._inbox = directory.parent / f"{directory.name}-inbox"
        self._inbox.mkdir(exist_ok=True)
        self._session = session.Session(str(directory))
        self._lock = threading.Lock()
        self._number = 0

    def run(self, database: str, sql: str, body: bytes, settings: dict[str, str]) -> bytes:
        """Carry out one request."""
        with self._lock:
            self._ask(f"USE `{database or 'default'}`")
            insert = _INSERT.fullmatch(sql)
            if insert is not None:
                return self._insert(insert[1], insert[2], body)
            parameters = {
                name[len("param_") :]: value
                for name, value in settings.items()
                if name.startswith("param_")
            }
            given = [f"{name} = {settings[name]}" for name in _HONOURED if name in settings]
            sql = sql or body.decode()
            return self._ask(f"{sql} SETTINGS {', '.join(given)}" if given else sql, parameters)

    def _insert(self, table: str, columns: str, body: bytes) -> bytes:
        described = self._ask(f"DESCRIBE TABLE {table} FORMAT JSONCompactEachRow")
        types = {row[0]: row[1] for row in map(json.loads, described.splitlines())}
        names = [name.strip(" `") for name in columns.split(",")]
        shape = ", ".join(f"`{name}` {types[name]}" for name in names).replace("'", "\\'")
        self._number += 1
        file = self._inbox / f"{os.getpid()}-{self._number}.bin"
        file.write_bytes(body)
        try:
            # The engine's own way in for streams hides errors.
            return self._ask(
                f"INSERT INTO {table} ({columns}) SELECT * FROM file('{file}', Native, '{shape}')"
            )
        finally:
            file.unlink()

    def _ask(self, sql: str, parameters: dict[str, str] | None = None) -> bytes:
        result = self._session.query(sql, "TabSeparated", params=parameters or None)
        return b"" if result is None else bytes(result.bytes())


class Front(ThreadingHTTPServer):
    """What the requests share."""

    daemon_threads = True

    def __init__(self, port: int, engine: Engine, user: str, token: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.engine = engine
        self.user, self.token = user, token
        self.plan: list[dict[str, str]] = []
        self.requests: list[str] = []

    def fault_for(self, sql: str) -> str:
        """Return how this request is to fail; empty for not at all."""
        self.requests.append(sql[:200])
        for place, one in enumerate(self.plan):
            if one.get("on", "") in sql:
                del self.plan[place]
                return one["how"]
        return ""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # An answer is one packet: the second of two would wait 40 ms for the first to be acknowledged.
    wbufsize = -1
    server: Front

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Say what was asked since the last time."""
        asked, self.server.requests = self.server.requests, []
        self._answer(200, json.dumps(asked).encode())

    def do_POST(self) -> None:
        """Carry out a statement."""
        address = urlsplit(self.path)
        given = {
            name: values[-1]
            for name, values in parse_qs(address.query, keep_blank_values=True).items()
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if address.path == "/_plan":
            self.server.plan = json.loads(body)
            self._answer(200, b"")
            return
        body = _PLAIN[self.headers.get("Content-Encoding", "")](body)
        sql = given.get("query", "")
        shown = sql or body.decode()
        how = self.server.fault_for(shown)
        if how == "reset before":
            self._reset()
        elif how.isdigit():
            self._answer(int(how), b"so it was planned", "241" if how == "500" else "")
        elif how == "wrong credentials" or not self._may_enter():
            self._answer(403, b"Code: 516. wrong password for shipper", "516")
        elif how == "readonly by profile" and given.get("readonly") == "1":
            said = b"Code: 164. DB::Exception: Cannot modify 'readonly' setting in readonly mode."
            self._answer(500, said, "164")
        else:
            self._carry_out(given, sql, body)
            if how == "reset after":
                self._reset()
            elif how == "hold after":
                self.server.requests.append(f"held {shown[:200]}")
                threading.Event().wait()
            elif how == "die after":
                os._exit(9)
            else:
                self._answer(*self._result)

    def _carry_out(self, given: dict[str, str], sql: str, body: bytes) -> None:
        try:
            content = self.server.engine.run(given.get("database", ""), sql, body, given)
            self._result = (200, content, "")
        except Exception as error:
            found = _CODE.search(str(error))
            code = found[1] if found else "1002"
            self._result = (_STATUS.get(code, 500), str(error).encode()[:2000], code)

    def _may_enter(self) -> bool:
        if not self.server.user:
            return True
        given = (self.headers.get("X-ClickHouse-User"), self.headers.get("X-ClickHouse-Key"))
        return given == (self.server.user, self.server.token)

    def _answer(self, status: int, content: bytes, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()


def main() -> None:
    """Serve until killed."""
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    user, token = [*sys.argv[3:], "", ""][:2]
    front = Front(port, Engine(directory), user, token)
    print(front.server_port, flush=True)
    front.serve_forever()


if __name__ == "__main__":
    main()
