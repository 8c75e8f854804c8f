"""Find secrets by shape: what issuers' keys and tokens look like, anywhere in a text.

Called by the redaction. Pure. Each shape has a literal anchor, found by a plain search, and a
pattern that is tried there and nowhere else; every repetition in a pattern is bounded, so that no
text makes the search more than linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

compiled = lru_cache(maxsize=None)(re.compile)
"""Compiles a pattern when it is first needed: an agent that never has a secret needs none."""


class Found(NamedTuple):
    """One secret in some bytes."""

    start: int
    end: int
    kind: str
    quote: bytes = b""
    """What has to stand around the replacement: a JSON number had no quotes, a text needs them."""


class Shape(NamedTuple):
    """One kind of secret, known by how it looks."""

    kind: str
    anchor: bytes
    """Where this is found the pattern is tried; it begins with the anchor."""
    pattern: bytes
    """Its first group is what is replaced."""


# No letter or digit before it, unless that is the end of an escape: a line may begin with it.
BOUNDARY = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"


def _shape(kind: str, anchor: bytes, rest: bytes, before: bytes = BOUNDARY) -> Shape:
    return Shape(kind, anchor, before + rb"(" + re.escape(anchor) + rest + rb")")


_WORD = rb"[A-Za-z0-9_-]"
# A kebab-case name of words is no key: somewhere near the beginning there has to be a digit.
_DIGIT_AHEAD = rb"(?=[A-Za-z_-]{0,80}[0-9])"
_JWT = _WORD + rb"{8,4000}\.eyJ" + _WORD + rb"{4,60000}\." + _WORD + rb"{4,4000}"
_PEM = (
    rb"(?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    # What a body is made of; line ends are escaped once or more often, prose has blanks.
    rb"(?:\\{1,8}[nrt]|(?<=[:,]) |[A-Za-z0-9+/=:,]|-(?!----END)){0,20000}"
    rb"(?:-----END (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----)?"
)
_BEARER = (
    rb"[Bb]earer {1,8}((?=[A-Za-z_-]{0,80}[0-9])[A-Za-z0-9_-]{20,}[A-Za-z0-9._~+/-]{0,8000}=*)"
)
URL_PASSWORD = "url-password"  # noqa: S105  # a kind, not one
_IN_URL = rb"://[^/\s:@\"'\\<>]{0,200}:([^/\s:@\"'\\<>{}$]{1,300})@"

SHAPES: tuple[Shape, ...] = (
    _shape("anthropic-key", b"sk-ant-", _DIGIT_AHEAD + _WORD + rb"{20,}"),
    _shape("openai-key", b"sk-", rb"(?!ant-)" + _DIGIT_AHEAD + _WORD + rb"{20,}"),
    _shape("stripe-key", b"sk_live_", rb"[A-Za-z0-9]{20,}"),
    _shape("stripe-key", b"sk_test_", rb"[A-Za-z0-9]{20,}"),
    _shape("stripe-key", b"rk_live_", rb"[A-Za-z0-9]{20,}"),
    *(_shape("github-token", b"gh%c_" % letter, rb"[A-Za-z0-9]{36,}") for letter in b"pousr"),
    _shape("github-token", b"github_pat_", rb"[A-Za-z0-9_]{22,}"),
    _shape("gitlab-token", b"glpat-", _WORD + rb"{20,}"),
    _shape("aws-key-id", b"AKIA", rb"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _shape("aws-key-id", b"ASIA", rb"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _shape("google-key", b"AIza", _WORD + rb"{35}"),
    _shape("google-token", b"ya29.", _WORD + rb"{20,}"),
    *(_shape("slack-token", b"xox%c-" % letter, rb"[A-Za-z0-9-]{15,}") for letter in b"abeoprs"),
    _shape("slack-webhook", b"hooks.slack.com/services/", rb"[A-Za-z0-9/]{20,}", before=b""),
    _shape("huggingface-token", b"hf_", rb"[A-Za-z0-9]{30,}"),
    _shape("npm-token", b"npm_", rb"[A-Za-z0-9]{36}"),
    _shape("pypi-token", b"pypi-AgEIcHlwaS5vcmc", _WORD + rb"{50,}"),
    _shape("sendgrid-key", b"SG.", _WORD + rb"{16,64}\." + _WORD + rb"{16,}"),
    _shape("jwt", b"eyJ", _JWT),
    _shape("private-key", b"-----BEGIN ", _PEM, before=b""),
    *(Shape("bearer-token", b"%cearer " % letter, _BEARER) for letter in b"Bb"),
    Shape(URL_PASSWORD, b"://", _IN_URL),
)
"""Every shape that is known, the more special before the more general."""


def find_shapes(line: bytes) -> Iterator[Found]:
    """Yield every secret of a known shape; those of one shape in order, shape after shape."""
    for kind, anchor, pattern in SHAPES:
        at = line.find(anchor)
        while at >= 0:
            match = compiled(pattern).match(line, at)
            if match is None:
                at = line.find(anchor, at + 1)
                continue
            yield Found(match.start(1), match.end(1), kind)
            at = line.find(anchor, match.end())


def find_in_url(line: bytes) -> bool:
    """Whether a URL in `line` has a password."""
    return b"@" in line and compiled(_IN_URL).search(line) is not None
