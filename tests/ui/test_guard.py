"""Who is answered: the owner's browser, on this machine, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.system.base import Base

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.ui.guard import HEADERS
from telemetry_core import TelemetryClient
from tests.support.database import index_once
from tests.support.page import HOST, SECRET, Visitor, visiting

SECRET_NAME = "an-agent-that-nobody-else-may-see"
NOT_SIGNED_IN = {"host": HOST, "sec-fetch-site": "none", "sec-fetch-dest": "document"}


@pytest.fixture
def visitor(base: Path, client: TelemetryClient) -> Iterator[Visitor]:
    with client.track_run(SECRET_NAME, "job"):
        pass
    index_once(Base(client.config))
    with visiting(base) as one:
        yield one


def test_who_is_signed_in_sees_the_runs(visitor: Visitor) -> None:
    """The owner's browser gets data."""
    assert SECRET_NAME in visitor.get("/runs").text


@pytest.mark.parametrize(
    "change",
    [
        {"host": "evil.example:8765"},
        {"host": "127.0.0.1:8766"},
        {"host": "127.0.0.1"},
        {"host": f"{HOST}."},
        {"host": f"{HOST}@evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-dest": "empty"},
        {"origin": "http://127.0.0.1:5000"},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"cookie": ""},
        {"cookie": "telemetry_8765=guess"},
        {"cookie": "telemetry_9999=", "authorization": "Bearer wrong"},
    ],
    ids=str,
)
def test_strangers_get_no_data(visitor: Visitor, change: dict[str, str]) -> None:
    """A foreign host name (DNS rebinding), page, origin or cookie is answered without data."""
    answer = visitor.get("/runs", {**visitor.signed_in, **change})
    assert SECRET_NAME not in answer.text
    assert answer.status_code == 403 or 'http-equiv="refresh"' in answer.text


def test_without_fetch_metadata_only_the_secret_itself_opens(visitor: Visitor) -> None:
    """A cookie alone may come from another port's page; a program sends the secret."""
    cookie_only = {"host": HOST, "cookie": visitor.signed_in["cookie"]}
    assert visitor.get("/runs.json", cookie_only).status_code == 403
    with_secret = {"host": HOST, "authorization": f"Bearer {SECRET}"}
    assert SECRET_NAME in visitor.get("/runs.json", with_secret).text


def test_a_link_from_elsewhere_asks_again_by_itself(visitor: Visitor) -> None:
    """What comes without our cookie gets a page without data, which then comes from here."""
    from_a_chat = {"host": HOST, "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    answer = visitor.get("/runs", from_a_chat)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in answer.text


def test_a_token_opens_once_and_leaves_the_address(visitor: Visitor) -> None:
    """It becomes a cookie that scripts and other sites do not get."""
    token = visitor.token()
    first = visitor.get(f"/runs?status=failed&token={token}", NOT_SIGNED_IN)
    assert (first.status_code, first.headers["location"]) == (303, "/runs?status=failed")
    assert first.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")
    again = visitor.get(f"/?token={token}", NOT_SIGNED_IN)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert token not in again.text


@pytest.mark.parametrize("token", ["", "x", "1.2.3", "é", "0." + "9" * 5000])
def test_wrong_tokens_are_refused(visitor: Visitor, token: str) -> None:
    """Guessing signs nobody in, whatever the guess looks like."""
    answer = visitor.ask("GET", "/", NOT_SIGNED_IN, params={"token": token})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_token_pasted_into_the_form_signs_in(visitor: Visitor) -> None:
    """The one thing that is posted; of our own origin only."""
    form = {"token": f"http://{HOST}/?token={visitor.token()}"}
    headers = {"host": HOST, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    assert visitor.ask("POST", "/sign-in", headers, data=form).status_code == 303
    evil = {**headers, "origin": "http://evil.example"}
    assert visitor.ask("POST", "/sign-in", evil, data=form).status_code == 403


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example"])
def test_signing_in_never_leads_elsewhere(visitor: Visitor, path: str) -> None:
    """Where a token is taken out of the address, what is left is one of our paths."""
    answer = visitor.get(f"http://{HOST}{path}?token={visitor.token()}", NOT_SIGNED_IN)
    location = answer.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(visitor: Visitor, method: str) -> None:
    """Every method that is not reading is refused, everywhere."""
    for path in ("/", "/runs", "/sql", "/events"):
        assert visitor.ask(method, path, visitor.signed_in).status_code == 405


def test_an_address_has_a_length(visitor: Visitor) -> None:
    """A query of more than 8 kB, or a path of more than 2, is refused before it is looked at."""
    assert visitor.get(f"/runs?q={'x' * 9000}").status_code == 414
    assert visitor.get(f"/runs/{'x' * 3000}").status_code == 414


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/assets/../site.py",
        "/assets/%2e%2e/%2e%2e/site.py",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/assets/style.css",
        "/%00",
        "/assets/",
    ],
)
def test_no_path_reaches_the_file_system(visitor: Visitor, path: str) -> None:
    """Assets have the names that they have; all else is no page."""
    answer = visitor.get(f"http://{HOST}{path}")
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize("path", ["/", "/runs", "/runs.json", "/nothing", "/sign-in"])
def test_every_answer_has_the_policies(visitor: Visitor, path: str) -> None:
    """Pages, data, errors and refusals tell the browser what they may do."""
    for headers in (visitor.signed_in, NOT_SIGNED_IN, {"host": "evil"}):
        answer = visitor.get(path, headers)
        for name, value in HEADERS:
            assert answer.headers[name.decode()] == value.decode()
        assert answer.headers["cache-control"] == "no-store"


def test_assets_are_kept_by_the_browser_and_nothing_else_is(visitor: Visitor) -> None:
    """Their names change with their bytes."""
    page = visitor.get("/").text
    style = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = visitor.get(style, {"host": HOST})
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    plain = visitor.get(style, {"host": HOST, "accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert plain.content == answer.content
