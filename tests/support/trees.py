"""Trees for Hypothesis: what agents record, and what they should not but do."""

from __future__ import annotations

import enum
from collections import OrderedDict
from datetime import date

from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = "red"


class Shout(str):
    """A text of a type of its own."""

    __slots__ = ()


class Count(int):
    """A number of a type of its own."""


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet='"\\/\b\f\n\r\t\x00\x1f\x7f\u2028\u00e9\U0001f600 aZ', max_size=20),
    st.text(alphabet="abcdefghij-_.0123456789", min_size=15, max_size=60),
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    TEXTS,
)
PLAIN = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(TEXTS, inner, max_size=5),
    ),
    max_leaves=25,
)
"""Trees of Python's own JSON types that orjson writes."""

_ODD = st.one_of(
    st.sampled_from(
        (
            Colour.RED,
            Shout("x"),
            Count(3),
            OrderedDict(a=1),
            {1: 2},
            {Shout("a"): 1},
            {None: 1},
            2**64,
            -(2**63) - 1,
            "\ud800",
            {"\udfff": 1},
            b"bytes",
            date(2026, 11, 26),
            {1, 2},
            object(),
        )
    ),
)
ODD = st.recursive(
    st.one_of(_LEAVES, _ODD),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
"""Trees in which there may be anything at all."""
