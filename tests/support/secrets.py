"""Secrets that are none: each has the shape of a kind, and opens nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telemetry_core.secret_shapes import Found

_BODY = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3kM5oQ7sU9wY1"

SECRETS: tuple[tuple[str, str], ...] = (
    # Put together from parts, so that no scanner of this repository takes them for real ones.
    ("anthropic-key", "sk-" + "ant-api03-" + _BODY),
    ("openai-key", "sk-" + "proj-" + _BODY),
    ("stripe-key", "sk_" + "live_" + _BODY[:24]),
    ("github-token", "ghp" + "_" + _BODY[:36]),
    ("github-token", "github" + "_pat_" + _BODY),
    ("gitlab-token", "glpat" + "-" + _BODY[:20]),
    ("aws-key-id", "AKIA" + "IOSFODNN7EXAMPLE"),
    ("google-key", "AIza" + _BODY[:35]),
    ("google-token", "ya29" + "." + _BODY),
    ("slack-token", "xoxb" + "-1234567890-1234567890-" + _BODY[:24]),
    ("slack-webhook", "hooks.slack.com" + "/services/T00000000/B00000000/" + _BODY[:24]),
    ("huggingface-token", "hf" + "_" + _BODY[:34]),
    ("npm-token", "npm" + "_" + _BODY[:36]),
    ("pypi-token", "pypi-AgEIcHlwaS5vcmc" + _BODY + _BODY),
    ("sendgrid-key", "SG" + "." + _BODY[:22] + "." + _BODY[:43]),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + _BODY),
    (
        "private-key",
        "-----BEGIN RSA " + f"PRIVATE KEY-----\n{_BODY}\n{_BODY}==\n-----END RSA PRIVATE KEY-----",
    ),
)

HARMLESS: tuple[Any, ...] = (
    {"input_tokens": 12, "max_tokens": 100, "token_count": 3, "token": 5},
    {"eos_token": "</s>abcdefg1", "next_page_token": 7, "pad_token": "[PAD]12345"},
    {"required": ["password", "username"], "properties": {"password": {"type": "string"}}},
    {"password": None, "secret": True, "api_key": "${API_KEY}", "cookie": "", "key": "value"},
    {"password": "********", "token": "<token>", "secret": "[redacted:secret]"},
    "def f(password: str, token=None, secret=os.environ['X'], api_key=config.api_key1): pass",
    "the password: it has to be long, with digits like 1234",
    "disk-usage-of-the-long-name-2026 and task-force-of-many-people-1",
    "https://example.com/path?x=1 at 2026-11-22T12:34:56.789012Z",
    {"id": "01932c5e-7d2a-7abc-8def-0123456789ab", "sha": "9f86d081884c7d659a2feaa0c55ad015" * 2},
    "sk-folding-cube-of-many-words and the bearer of bad news, Bearer authentication-required-here",
    {"run_id": "20261122T123456Z-agent-00abc0123456789abcdef0123"},
)
"""What looks a little like a secret and is none."""


def joined(found: Iterable[Found]) -> str:
    """Return the kinds of what was found."""
    return " ".join(one.kind for one in found)
