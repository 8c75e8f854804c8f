"""CSV cells: any reader gets back what was written, and no spreadsheet runs any of it."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.export.csv_text import csv_line, defused

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def undefused(cell: str) -> str:
    """As docs/exporting.md says it is undone."""
    return cell[1:] if re.match("'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", cell) else cell


@given(st.lists(st.text().filter(lambda text: "\0" not in text), min_size=2))
def test_any_text_comes_back(cells):
    """Commas, quotes, line ends and lone carriage returns stay inside their cell."""
    # No NUL: Python's reader takes it only from 3.11 on.
    line = csv_line(cells)
    assert list(csv.reader(io.StringIO(line, newline=""))) == [cells]
    assert line.endswith("\n")


def test_null_is_told_from_empty():
    """Nothing between the commas is NULL; an empty text has quotes."""
    assert csv_line([None, "", 0, "x"]) == ',"",0,x\n'


@pytest.mark.parametrize("start", DANGEROUS)
def test_what_looks_like_a_formula_is_defused(start):
    """Whatever follows, the cell begins with an apostrophe."""
    assert defused(f'{start}HYPERLINK("x")') == f'\'{start}HYPERLINK("x")'


@pytest.mark.parametrize("value", [-5, -0.5, None, "-5", "+1.5", "-1e6", "text", "'s", "a=b", ""])
def test_what_is_no_formula_stays(value):
    """Numbers stay numbers, negative ones too; text is not touched without need."""
    assert defused(value) == value


@pytest.mark.parametrize("text", ["-5+cmd|' /C calc'!A0", "-1\n", "+\u0663", "--1"])
def test_what_is_nearly_a_number_is_defused(text):
    """A number is one from end to end."""
    assert defused(text) == f"'{text}"


@given(st.text(alphabet="'=+-@\t\r\n\uff1d\uff0b\uff41b5") | st.text())
def test_defusing_can_be_undone(text):
    """One rule gives back every text, also one that had apostrophes of its own."""
    assert undefused(defused(text)) == text
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII):
        assert not defused(text).startswith(DANGEROUS)
