"""Payloads of the sizes and shapes that agents record, always the same ones.

Called by the sections. Nothing here repeats so soon that a cache would hit what it would not
hit in a real agent.
"""

from __future__ import annotations

import random
from typing import Any

SIZES = (0, 200, 2_000, 64_000)
"""Of payloads, encoded, in bytes."""

_WORDS = ("page", "fetched", "retry", "model", "tokens", "gr\u00fc\u00dfe", "https://example.com/")


def payloads(size: int, count: int = 64) -> list[Any]:
    """Return payloads of about `size` encoded bytes, each one different; None for no bytes."""
    chance = random.Random(size)  # noqa: S311  # the same payloads each time
    return [_payload(chance, size, number) for number in range(count)]


def _payload(chance: random.Random, size: int, number: int) -> Any:
    if size == 0:
        return None
    payload: dict[str, Any] = {
        "step": number,
        "ok": chance.random() < 0.9,
        "ms": round(chance.expovariate(0.01), 3),
        "url": f"https://example.com/{chance.getrandbits(48):012x}",
        "tags": chance.sample(_WORDS, 2),
    }
    left = size - 130
    if left > 0:
        # Half of the rest is one text, as a prompt is, and half small values, as results are.
        payload["text"] = " ".join(chance.choices(_WORDS, k=max(1, left // 16)))
        payload["parts"] = [chance.getrandbits(30) for _ in range(left // 2 // 11)]
    return payload
