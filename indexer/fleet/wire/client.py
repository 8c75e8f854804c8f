"""Make requests of one ClickHouse server: statements, rows in, rows out.

One connection, used by one thread. Credentials go into headers and nowhere else; redirects are
not followed, and no error repeats what the server said.
"""

from __future__ import annotations

import logging
import math
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Optional

import httpx
import orjson

from indexer.fleet.errors import FleetError, FleetRequestInvalid, FleetUnreachable
from indexer.fleet.schema.layout import quoted
from indexer.fleet.schema.tables import Table
from indexer.fleet.wire.address import FleetAddress
from indexer.fleet.wire.answer import CODE_HEADER, error_of, is_too_large
from indexer.fleet.wire.native import Columns, Row, columns_of, encode_columns
from indexer.fleet.wire.query_error import of_query, too_long
from indexer.fleet.wire.squeeze import GZIP, best_squeezer
from indexer.outbox.backoff import parse_retry_after
from telemetry_core import __version__

# They log the whole address of each request, and headers with their values.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)

_ALWAYS = {
    # Keys recognise what was sent before; the server's own memory of inserts would also swallow
    # rows that were deleted and are sent again. Newer servers ask the table instead.
    "insert_deduplicate": "0",
    "async_insert": "0",
    "async_insert_deduplicate": "0",
    # Whoever is acknowledged before rows are stored loses them with the server.
    "wait_for_async_insert": "1",
    # Of a sharded table, an insert is acknowledged when the shards have it.
    "insert_distributed_sync": "1",
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_denormals": "0",
    # An error in the middle of a result is the status, rather than text inside the result.
    "wait_end_of_query": "1",
}


class FleetClient:
    """A connection to the centre."""

    def __init__(self, address: FleetAddress) -> None:
        """Make no request yet. Raises FleetUnreachable if no client can be made here."""
        self.address = address
        self._squeezer = best_squeezer()
        self.gathers = False
        """Whether the server may gather what is inserted with what others insert, into one part:
        for what is little. It is acknowledged when it is stored, as ever, a moment later."""
        headers = {"User-Agent": f"local-telemetry/{__version__}", "Accept-Encoding": "gzip"}
        if address.user:
            headers["X-ClickHouse-User"] = address.user
        if address.token:
            headers["X-ClickHouse-Key"] = address.token
        self._insert_urls: dict[tuple[str, bool], httpx.URL] = {}
        self._plain_url = self._url({})
        try:
            self._http = httpx.Client(
                headers=headers, timeout=address.timeout, follow_redirects=False
            )
        except Exception as error:
            raise FleetUnreachable(
                f"no HTTP client can be made ({type(error).__name__}): check HTTP_PROXY,"
                " HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
            ) from None

    def __enter__(self) -> FleetClient:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def run(self, sql: str, *, in_database: bool = True, **settings: str) -> None:
        """Run one statement that gives no rows. Raises FleetError."""
        self._post(self._url(settings, in_database=in_database), sql.encode())

    def select(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> tuple[list[str], list[list[Any]]]:
        """Return the names of a query's columns, and its rows. Raises FleetError.

        Parameters are written `{name:Type}` in the query.
        """
        values = {f"param_{name}": _written(one) for name, one in (parameters or {}).items()}
        body = f"{sql}\nFORMAT JSONCompactEachRowWithNames".encode()
        answer = self._post(self._url(values) if values else self._plain_url, body)
        names, *rows = [orjson.loads(line) for line in answer.splitlines() if line] or [[]]
        return names, rows

    def query(
        self, sql: str, limits: Mapping[str, str], most_bytes: int
    ) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns and the rows of a query that a person wrote.

        Raises FleetQueryFailed with what the server says about the query, or where the answer is
        longer than `most_bytes`; or FleetError.
        """
        settings = {"output_format_json_validate_utf8": "1", **limits}
        body = f"{sql}\nFORMAT JSONCompactEachRowWithNames".encode()
        _, error, content = self._answer(self._url(settings), body, {}, most_bytes)
        if error is not None:
            raise of_query(error, content, self.address.token)
        names, *rows = [orjson.loads(line) for line in content.splitlines() if line] or [[]]
        return names, rows

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows of a table, as `insert_columns` does."""
        self.insert_columns(table, columns_of(rows))

    def insert_columns(self, table: Table, columns: Columns) -> None:
        """Insert rows that are given by columns; halved where they are too many for one request.

        Raises FleetError; some of the rows may be stored then. An insert is visible once this
        returns.
        """
        rows = len(columns[0]) if columns else 0
        if not rows:
            return
        status, error = self._insert(table, encode_columns(table, columns))
        if is_too_large(status) and rows > 1:
            middle = rows // 2
            self.insert_columns(table, [values[:middle] for values in columns])
            self.insert_columns(table, [values[middle:] for values in columns])
        elif error is not None:
            raise error

    def _insert(self, table: Table, plain: bytes) -> tuple[int, Optional[FleetError]]:
        squeezer = self._squeezer
        body, headers = squeezer.squeeze(plain), {"Content-Encoding": squeezer.name}
        status, error, _ = self._answer(self._insert_url(table), body, headers)
        is_refused = isinstance(error, FleetRequestInvalid) and not is_too_large(status)
        if is_refused and squeezer is not GZIP:
            # What stands between us and the centre may know gzip alone.
            self._squeezer = GZIP
            return self._insert(table, plain)
        return status, error

    def _insert_url(self, table: Table) -> httpx.URL:
        """Return where rows of a table go; made once, for that takes as long as a small request."""
        known = self._insert_urls.get((table.name, self.gathers))
        if known is None:
            columns = ", ".join(quoted(column.name) for column in table.sent)
            query = f"INSERT INTO {quoted(table.name)} ({columns}) FORMAT Native"
            how = {"async_insert": "1"} if self.gathers else {}
            known = self._url({"query": query, **how})
            self._insert_urls[table.name, self.gathers] = known
        return known

    def _url(self, extra: Mapping[str, str], *, in_database: bool = True) -> httpx.URL:
        database = {"database": self.address.database} if in_database else {}
        return httpx.URL(self.address.url, params={**_ALWAYS, **database, **extra})

    def _post(self, url: httpx.URL, body: bytes) -> bytes:
        _, error, content = self._answer(url, body, {})
        if error is not None:
            raise error
        return content

    def _answer(
        self,
        url: httpx.URL,
        body: bytes,
        headers: Mapping[str, str],
        most_bytes: float = math.inf,
    ) -> tuple[int, Optional[FleetError], bytes]:
        try:
            with self._http.stream("POST", url, content=body, headers=dict(headers)) as answer:
                content = _read(answer, most_bytes)
        except httpx.HTTPError as error:
            raise _no_answer(error) from None
        retry_after = parse_retry_after(answer.headers.get("Retry-After"), time.time())
        code = answer.headers.get(CODE_HEADER, "")
        return (
            answer.status_code,
            error_of(answer.status_code, code, retry_after),
            content,
        )


def _read(answer: httpx.Response, most_bytes: float) -> bytes:
    """Return the text of an answer. Raises FleetQueryFailed where it is too long to be held."""
    parts, size = [], 0
    for part in answer.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > most_bytes:
            raise too_long(most_bytes)
    return b"".join(parts)


def _written(value: Any) -> str:
    """Return a parameter as ClickHouse reads it: texts with escapes, lists in brackets."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, str):
        return _escaped(value)
    return str(value)


def _quoted(value: Any) -> str:
    return f"'{_escaped(value)}'" if isinstance(value, str) else str(value)


def _escaped(value: str) -> str:
    plain = value.replace("\\", "\\\\").replace("'", "\\'")
    return plain.replace("\t", "\\t").replace("\n", "\\n")


def _no_answer(error: httpx.HTTPError) -> FleetUnreachable:
    """Say what failed by the names of errors alone: a library's message may repeat a header."""
    cause: Optional[BaseException] = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FleetUnreachable(
                f"the centre's certificate is not valid: {cause.verify_message}"
            )
        if isinstance(cause, OSError) and cause.strerror:
            return FleetUnreachable(f"the centre cannot be reached: {cause.strerror}")
        cause = cause.__cause__ or cause.__context__
    return FleetUnreachable(f"the centre cannot be reached ({type(error).__name__})")


def rows_as_dicts(answer: tuple[list[str], list[list[Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of an answer by the names of its columns."""
    names, rows = answer
    for row in rows:
        yield dict(zip(names, row))
