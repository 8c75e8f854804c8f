"""Which targets there are: by environment and settings file, and what is wrong with the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.outbox.target import Target
from indexer.outbox.targets import Targets, load_targets
from indexer.system.base import Base

_URL = {"METRICS_API_URL": "https://api.example.com/runs", "METRICS_API_TOKEN": "t0ken"}


def _load(base: Path, text: str = "", **variables: str) -> Targets:
    (base / "config").mkdir(parents=True, exist_ok=True)
    (base / "config" / "telemetry.toml").write_text(text)
    return load_targets(Base.at(base, variables))


def test_nothing_is_a_target_until_it_is_configured(base: Path) -> None:
    """No URL, no file, no target, and no problem."""
    assert load_targets(Base.at(base)) == Targets((), (), ())


def test_the_environment_makes_the_target_api(base: Path) -> None:
    """URL and token; on Google's host it is a sheet; the file may say the rest of it."""
    (api,) = _load(base, **_URL).targets
    assert (api.name, api.kind, api.token) == ("api", "http", "t0ken")
    sheet = {**_URL, "METRICS_API_URL": "https://script.google.com/macros/s/x/exec"}
    assert _load(base, **sheet).targets[0].kind == "sheets"
    text = '[targets.api]\nurl = "https://old"\ntoken = "old"\nfields = "all"\nrate = 3\n'
    (api,) = _load(base, text, **_URL).targets
    assert (api.address, api.token) == (_URL["METRICS_API_URL"], "t0ken")
    assert (api.all_fields, api.rate) == (True, 3)


def test_a_token_may_stand_in_a_variable(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not set is said so, by its name."""
    text = '[targets.x]\nurl = "https://x"\ntoken_env = "X_TOKEN"\n'
    monkeypatch.delenv("X_TOKEN", raising=False)
    assert "X_TOKEN, which is not set" in _load(base, text).problems[0]
    monkeypatch.setenv("X_TOKEN", "s3cret")
    assert _load(base, text).targets[0].token == "s3cret"


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("[targets.x]", "a target of kind http needs url"),
        ('[targets.x]\nkind = "file"', "a target of kind file needs path"),
        ('[targets.x]\nkind = "file"\npath = "here"', "path has to be absolute"),
        ('[targets.x]\nkind = "pigeon"', "kind is 'pigeon': use one of http, sheets, file"),
        ('[targets.x]\nkind = "sheets"\nurl = "https://x"', "needs a token"),
        ('[targets.x]\nurl = "ftp://x"', "not an http or https address"),
        ('[targets.x]\nurl = "https://"', "url names no host"),
        ('[targets.x]\nurl = "https://[::"', "url names no host"),
        ("[targets.x]\nurl = 5", "url has to be a string"),
        ('[targets.x]\nurl = "https://x"\nrate = 0', "rate has to be a number above 0"),
        ('[targets.x]\nurl = "https://x"\nrate = inf', "rate has to be a number above 0"),
        ('[targets.x]\nurl = "https://x"\nrate = true', "rate has to be a number above 0"),
        ('[targets.x]\nurl = "https://x"\nin_flight = 1.5', "a whole number above 0"),
        ('[targets.x]\nurl = "https://x"\nin_flight = 65', "64 at most"),
        ('[targets.x]\nurl = "https://x"\nagents = "a"', "agents has to be a list of strings"),
        ('[targets.x]\nurl = "https://x"\nfields = "some"', "use known or all"),
        ('[targets.x]\nurl = "https://x"\ncolour = 1', "unknown setting 'colour'"),
        ('[targets.x]\nurl = "https://x"\ntoken = "a b"', "characters that no header can carry"),
        ('[targets.x]\nurl = "https://x"\ntoken = "a"\ntoken_env = "B"', "are both set"),
        ('[targets.x]\nurl = "https://x/\\r"', "url contains whitespace"),
        ('[targets.x]\nurl = " https://x"', "url contains whitespace"),
        ('[targets.x]\nurl = "https://x"\ntoken = "a\\r"', "begins or ends with whitespace"),
        ('[targets.x]\nkind = "file"\npath = "/x\\r"', "path begins or ends with whitespace"),
        ('[targets.x]\nurl = "https://x"\nheaders = 1', "headers has to be a table of strings"),
        ('[targets.x]\nurl = "https://x"\nheaders = {a = "b\\n"}', "no header can carry"),
        ('[targets.x]\nurl = "https://x"\nheaders = {a = " b"}', "begins or ends with whitespace"),
        ('[targets."x y"]\nurl = "https://x"', "use letters, digits"),
        ("targets = 5", "write `targets` as tables"),
        ("targets.x = 5", "write it as a table"),
        ("other = 5", "unknown section 'other'"),
        ("[targets", "is not valid TOML"),
    ],
)
def test_what_makes_no_sense_is_told_and_costs_that_target_alone(
    base: Path, text: str, reported: str
) -> None:
    """Where it stands, what is wrong, and no secret; the others are there."""
    loaded = _load(base, text, **_URL)
    assert [target.name for target in loaded.targets] == ["api"]
    (problem,) = loaded.problems
    assert reported in problem
    assert "telemetry.toml" in problem
    assert "a b" not in problem


def test_a_file_that_is_no_text_or_a_directory_is_told(base: Path) -> None:
    """Neither stops anything."""
    path = base / "config" / "telemetry.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe")
    assert "it is not UTF-8" in load_targets(Base.at(base)).problems[0]
    path.unlink()
    path.mkdir()
    assert "cannot be read" in load_targets(Base.at(base)).problems[0]


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("[targets.api]\nenabled = false", {}),
        ("", {"METRICS_API_ENABLED": "false"}),
        ("", {"TELEMETRY_TEST_MODE": "mock"}),
    ],
)
def test_a_target_that_is_switched_off_is_none(
    base: Path, text: str, variables: dict[str, str]
) -> None:
    """It is named as off."""
    assert _load(base, text, **_URL, **variables) == Targets((), ("api",), ())


def test_no_text_of_a_target_has_its_token_or_the_secrets_of_its_url() -> None:
    """Neither its repr, nor what is shown, nor what a queue remembers of it."""
    target = Target("x", "http", "https://user:pw@host/p?key=s3cret#frag", token="t0ken")
    assert target.shown_address == "https://host/p"
    for text in (repr(target), str(target), target.selection, target.shown_address):
        assert not any(secret in text for secret in ("t0ken", "pw", "s3cret", "frag"))
