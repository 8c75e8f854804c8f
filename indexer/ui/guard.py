"""Decide which requests are answered, and what every answer says to the browser.

Called by the server before any page. It decides by the raw Host header and the raw path, never
by an address put together from them. Nothing it refuses reaches the database.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Iterable
from typing import Optional
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from indexer.ui.sign_in import Door

MOST_QUERY_BYTES = 8192
_MOST_PATH_BYTES = 2048
_MOST_FORM_BYTES = 4096
_SEND_SECONDS = 30.0
"""How long a client may take to read what it asked for, a piece at a time."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types telemetry"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE = (b"cache-control", b"no-store")

_SAFE_SITES = ("same-origin", "none")
# A link in a chat arrives without our cookie, which is SameSite=Strict. This page has no data,
# and asks again by itself: then the request is of our own origin and has the cookie.
_AGAIN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Telemetry</title>'
    '<meta http-equiv="refresh" content="0"><p>Opening &hellip;</p></html>'
)
_SIGN_IN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in, Telemetry</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="{style}"></head>
<body class="message"><main><h1>Sign in</h1>
<p class="sentence">{reason}</p>
<p>Open the address that <code>telemetry ui</code> printed, or have a new one printed by
<code>telemetry ui --link</code>. Each such address works once.</p>
<form method="post" action="/sign-in"><label for="token">Token</label>
<input id="token" name="token" autocomplete="off" required><button>Sign in</button></form>
</main></body></html>"""


class Guard:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, door: Door, port: int, style: str) -> None:
        """Admit to `app` what comes to `port` of this machine and passes `door`.

        `style` is the path of the style sheet.
        """
        self._app = app
        self._door = door
        self._style = style
        names = (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}")
        self._hosts = {name.encode() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope) or await self._sign_in(scope, receive)
        answer = refusal or self._stranger(scope) or self._app
        await answer(scope, receive, _Careful(send))

    def _refusal(self, scope: Scope) -> Optional[Response]:
        """Return why nobody at all is answered, or None."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return _plain(403, "This page answers under the address of this machine only.")
        may_post = scope["method"] == "POST" and scope["path"] == "/sign-in"
        if scope["method"] not in ("GET", "HEAD") and not may_post:
            return _plain(405, "There is nothing to change here.", {"allow": "GET, HEAD"})
        if len(scope["query_string"]) > MOST_QUERY_BYTES or len(scope["path"]) > _MOST_PATH_BYTES:
            return _plain(414, "The address is too long.")
        origin = Headers(scope=scope).get("origin")
        if origin is not None and origin.encode() != b"http://" + hosts[0]:
            return _plain(403, "Another page asked for this; only our own pages may.")
        return None

    async def _sign_in(self, scope: Scope, receive: Receive) -> Optional[Response]:
        """Return the answer to a token, or None where there is none."""
        if scope["method"] == "POST":
            form = parse_qs((await _body(receive)).decode("utf-8", "replace"))
            return self._redeemed("".join(form.get("token", [])), "/")
        # `latin-1` decodes whatever bytes there are; percent signs carry the rest.
        fields = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in fields if name == "token"]
        if not tokens:
            return None
        rest = urlencode([(name, value) for name, value in fields if name != "token"])
        # With two slashes at its beginning it would name another host.
        path = "/" + quote(scope["path"].lstrip("/"))
        return self._redeemed(tokens[0], path + (f"?{rest}" if rest else ""), scope)

    def _redeemed(self, token: str, path: str, scope: Optional[Scope] = None) -> Response:
        headers = {"location": path}
        if scope is not None and self._is_known(scope):
            return _plain(303, "", headers)
        # Pasted by hand, it may be the whole address.
        if self._door.redeem(token.strip().rpartition("token=")[2]):
            return _plain(303, "", {**headers, "set-cookie": self._door.set_cookie()})
        return self._sign_in_page("That address was used already, or is not right.")

    def _stranger(self, scope: Scope) -> Optional[Response]:
        """Return the answer to somebody who may not see data, or None."""
        if scope["path"].startswith("/assets/"):
            return None
        headers = Headers(scope=scope)
        if self._door.knows_bearer(headers.get("authorization", "")):
            return None
        site = headers.get("sec-fetch-site")
        is_page = headers.get("sec-fetch-dest") == "document"
        if site is not None and site not in _SAFE_SITES:
            return HTMLResponse(_AGAIN) if is_page else _plain(403, "Another page asked for this.")
        if site is not None and self._door.knows_cookie(headers.get("cookie", "")):
            return None
        if is_page or "text/html" in headers.get("accept", ""):
            return self._sign_in_page("This page shows what agents did only to who may see it.")
        return _plain(403, "Not signed in. Open the address that `telemetry ui` printed.")

    def _is_known(self, scope: Scope) -> bool:
        return self._door.knows_cookie(Headers(scope=scope).get("cookie", ""))

    def _sign_in_page(self, reason: str) -> Response:
        page = _SIGN_IN.format(style=html.escape(self._style), reason=html.escape(reason))
        return HTMLResponse(page, 403)


class _Careful:
    """Sends what a page answers, with our headers, to a client that has to keep up."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            message = {**message, "headers": [*headers, *_missing(headers)]}
        await asyncio.wait_for(self._send(message), _SEND_SECONDS)


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in headers}
    return [header for header in (*HEADERS, _NO_STORE) if header[0] not in names]


def _plain(status: int, text: str, headers: Optional[dict[str, str]] = None) -> Response:
    return PlainTextResponse(f"{text}\n" if text else "", status, headers)


async def _body(receive: Receive) -> bytes:
    """Return the body of a form, or nothing if it is longer than our forms."""
    parts = bytearray()
    while True:
        message = await receive()
        parts += message.get("body", b"")
        if len(parts) > _MOST_FORM_BYTES or message["type"] != "http.request":
            return b""
        if not message.get("more_body"):
            return bytes(parts)
