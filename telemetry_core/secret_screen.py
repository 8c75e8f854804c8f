"""Lay out, as a table for the extension in C, what a first look for secrets looks for.

Called by the redaction, once for each configuration. Pure. As the prefilter in Python, the look
never says "harmless" of bytes in which the shapes or the names would find something: it knows the
same anchors, and asks for less around them. `_speed.c` has the same layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from telemetry_core.secret_names import KEY_OWNERS, NAMES, Name
from telemetry_core.secret_shapes import BOUNDARY, SHAPES, URL_PASSWORD

_PAIRS = 256 * 256
_ANCHORS = 256
_IN_CHAIN = 12
_LONGEST = 31
_ENTRY = 32 + 4
# What has to stand around an anchor.
_ANYWHERE, _NAME, _WORD = range(3)
_SMALL = 0x20
"""The bit by which a small letter differs from its capital one."""
_WEBHOOK = b"hooks.slack"
_COMMON = (
    b"th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le"
    b" ve co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ec pr pa ke ok"
).split()
"""Pairs of letters that texts are full of, the most common first."""


class _Anchor(NamedTuple):
    """What is looked for; `folds` where capital letters count as small ones."""

    text: bytes
    folds: bool
    rule: int


def screen_of(names: Iterable[Name] = ()) -> Optional[bytes]:
    """Return the table for all shapes, the names of the list, and `names`.

    None where one of these is too short or too long for it, or where there are too many.
    """
    anchors = [*_of_shapes(), *_of_names((*NAMES, *names))]
    if not all(3 <= len(anchor.text) <= _LONGEST for anchor in anchors):
        return None
    entries = [bytes(_ENTRY)]
    by_pair: dict[int, tuple[int, ...]] = {}
    for anchor in anchors:
        # At an even and at an odd offset, so that it is enough to look at every second place.
        for parity in range(2):
            offset = min(
                range(parity, len(anchor.text) - 1, 2), key=lambda at: _commonness(anchor, at)
            )
            for pair in _spellings(anchor, offset):
                by_pair[pair] = (*by_pair.get(pair, ()), len(entries))
            entries.append(_entry(anchor, offset))
    return _laid_out(entries, by_pair)


def _laid_out(entries: list[bytes], by_pair: dict[int, tuple[int, ...]]) -> Optional[bytes]:
    """Return the table: the number of a chain by pair, the chains, the anchors."""
    chains: dict[tuple[int, ...], int] = {(): 0}
    chain_of = bytearray(_PAIRS)
    for pair, chain in by_pair.items():
        number = chains.setdefault(chain, len(chains))
        if number == _ANCHORS or len(entries) > _ANCHORS or len(chain) > _IN_CHAIN:
            return None
        chain_of[pair] = number
    listed = b"".join(bytes(chain).ljust(_IN_CHAIN, b"\0") for chain in chains)
    described = b"".join(entries)
    return (
        bytes(chain_of)
        + listed.ljust(_ANCHORS * _IN_CHAIN, b"\0")
        + described.ljust(_ANCHORS * _ENTRY, b"\0")
    )


def _spellings(anchor: _Anchor, offset: int) -> set[int]:
    """Return the pairs of bytes that an anchor may have at an offset."""
    small = anchor.text[offset : offset + 2]
    capital = small.upper() if anchor.folds else small
    return {a << 8 | b for a in (small[0], capital[0]) for b in (small[1], capital[1])}


def _entry(anchor: _Anchor, offset: int) -> bytes:
    fold = _SMALL if anchor.folds else 0
    text = bytes(char | fold for char in anchor.text)
    return text.ljust(32, b"\0") + bytes((len(text), fold, offset, anchor.rule))


def _commonness(anchor: _Anchor, at: int) -> int:
    """Return a number that rises with how often the pair at `at` is met in texts."""
    pair = anchor.text[at : at + 2]
    if b" " in pair:
        return 100
    if not anchor.folds and pair != pair.lower():
        return 0
    return 90 - _COMMON.index(pair.lower()) if pair.lower() in _COMMON else pair.isdigit()


def _of_shapes() -> Iterable[_Anchor]:
    yield _Anchor(_WEBHOOK, True, _ANYWHERE)
    for shape in SHAPES:
        # Passwords in URLs are looked for by their `@`; what goes on after another anchor, by it.
        if shape.kind != URL_PASSWORD and not shape.anchor.startswith((_WEBHOOK, b"sk-ant-")):
            rule = _WORD if shape.pattern.startswith(BOUNDARY) else _ANYWHERE
            yield _Anchor(shape.anchor, False, rule)


def _of_names(names: Iterable[Name]) -> Iterable[_Anchor]:
    for name in names:
        if name.kind == "key":
            # A key counts behind the word that says whose it is.
            for owner in KEY_OWNERS:
                yield _Anchor(owner + name.anchor, True, _NAME)
        else:
            yield _Anchor(name.anchor, True, _ANYWHERE if name.rest else _NAME)
