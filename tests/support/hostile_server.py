"""A receiver that fails in every way there is, as a process of its own: `python -m` this module.

It prints its ports, then obeys lines on its stdin, each answered by one line of JSON: `held` (what
it has taken in), `down`, `up`, `plan JSON` (how to answer whom). It keeps each key's first body and
counts what does not fit.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import gzip
import json
import random
import socket
import ssl
import struct
import sys
import time
from typing import Any

WAYS = (
    "ok",
    "reset before",
    "reset after",
    "drip",
    "hang",
    "500",
    "503 later",
    "429 seconds",
    "429 date",
    "302",
    "bomb",
    "endless",
    "garbage",
    "408",
    "425",
    "short",
)
"""How it may answer. All but a few of these have it take in what was sent."""
TAKEN_IN = ("ok", "reset after", "drip", "bomb", "endless", "short")
_BOMB = gzip.compress(bytes(20_000_000))


class Receiver:
    """What it holds, and how it answers."""

    def __init__(self) -> None:
        self.plan: dict[str, Any] = {}
        self.held: dict[str, Any] = {}
        self.order: list[str] = []
        self.faults: list[str] = []
        self.requests = 0
        self.tries: dict[str, int] = {}
        self._rng = random.Random(0)

    def obey(self, plan: dict[str, Any]) -> None:
        """Answer by this plan from now on.

        `ways` to choose from by `seed`, at most `bad` bad answers a key; bodies with the text
        `poison` get a 400; `token` is demanded.
        """
        self.plan = plan
        self._rng = random.Random(plan.get("seed", 0))

    def choose(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """Take in one request, and return how to answer it."""
        self.requests += 1
        if path.partition("?")[0] != "/runs":
            self.faults.append(f"asked for {path}")
            return "500"
        if headers.get("authorization") != f"Bearer {self.plan.get('token', 'secret')}":
            return "401"
        if headers.get("accept-encoding") != "identity":
            self.faults.append("would decode")
        key = headers.get("idempotency-key", "")
        self.tries[key] = self.tries.get(key, 0) + 1
        poison = self.plan.get("poison")
        if poison and poison.encode() in body:
            return "400"
        way = self._rng.choice(self.plan.get("ways", ["ok"]))
        if self.tries[key] > self.plan.get("bad", 3):
            way = "ok"
        if way in TAKEN_IN:
            self._take_in(key, body)
        return way

    def _take_in(self, key: str, body: bytes) -> None:
        text = body.decode()
        if self.held.setdefault(key, text) != text:
            self.faults.append(f"two bodies for {key}")
        self.order.append(key)


def _answer(status: str, *headers: str, body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _answers() -> dict[str, bytes]:
    later = email.utils.formatdate(time.time() + 40, usegmt=True)
    return {
        "ok": _answer("200 OK"),
        "500": _answer("500 Oops"),
        "503 later": _answer("503 Busy", "Retry-After: 20"),
        "429 seconds": _answer("429 Slow", "Retry-After: 30"),
        "429 date": _answer("429 Slow", f"Retry-After: {later}"),
        "302": _answer("302 Found", "Location: /elsewhere"),
        "bomb": _answer("200 OK", "Content-Encoding: gzip", body=_BOMB),
        "garbage": b"\x00\xffwhat do you want\r\n\r\n",
        "408": _answer("408 Late"),
        "425": _answer("425 Early"),
        "400": _answer("400 Bad", body=b'{"you sent":"Bearer secret"}'),
        "401": _answer("401 Who"),
        "short": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this",
    }


async def _serve(receiver: Receiver, reader: Any, writer: Any) -> None:
    try:
        while await _serve_one(receiver, reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError, ValueError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def _serve_one(receiver: Receiver, reader: Any, writer: Any) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {}
    for line in filter(None, head[1:]):
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    way = receiver.choose(head[0].split()[1], headers, body)
    if way.startswith("reset"):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False
    if way == "hang":
        await asyncio.sleep(60)
    elif way == "drip":
        for byte in _answer("200 OK", body=bytes(60)):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
    elif way == "endless":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()
    else:
        writer.write(_answers()[way])
        await writer.drain()
    return way not in ("garbage", "short")


async def _main(certificate: str) -> None:
    receiver = Receiver()

    async def serve(reader: Any, writer: Any) -> None:
        await _serve(receiver, reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reported: dict[str, Any] = {"port": port}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        secure = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        reported["secure"] = secure.sockets[0].getsockname()[1]
    print(json.dumps(reported), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, _, rest = line.strip().partition(" ")
        if word == "down":
            server.close()
        elif word == "up":
            server = await asyncio.start_server(serve, "127.0.0.1", port)
        elif word == "plan":
            receiver.obey(json.loads(rest))
        print(
            json.dumps(
                {
                    name: getattr(receiver, name)
                    for name in ("held", "order", "faults", "requests", "tries")
                }
                if word == "held"
                else {}
            ),
            flush=True,
        )
        if word == "held" and rest == "clear":
            receiver.__init__()  # type: ignore[misc]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1] if len(sys.argv) > 1 else ""))
