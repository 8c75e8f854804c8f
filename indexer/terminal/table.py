"""The table at a terminal: fits its width, and keeps each row readable rather than squeezed.

Called by the output. Empty columns are left out; wide ones give way; a note that has no room
beside its row goes below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from indexer.terminal.human import width

if TYPE_CHECKING:
    from indexer.terminal.output import Column

_GAP = 2
_SMALLEST = 8
_ROOM_FOR_NOTE = 24


def print_terminal_table(
    console: Any, columns: Sequence[Column], rows: Iterable[Sequence[str]]
) -> None:
    """Print a table with a bold header, in colours where the terminal has them."""
    rows = list(rows)
    used = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    rule = "\u2500" if console.encoding.lower().startswith("utf") else "-"
    table = _Table(console.width, [columns[place] for place in used], rule)
    for line in table.lines([[row[place] for place in used] for row in rows]):
        console.print(line, no_wrap=True, overflow="ellipsis")


class _Table:
    """The layout of one table."""

    def __init__(self, room: int, columns: list[Column], rule: str) -> None:
        self._room = room
        self._rule = rule
        self._columns = columns
        self._has_note = bool(columns) and columns[-1].note

    def lines(self, rows: list[list[str]]) -> Iterable[Text]:
        """Yield header, rule and rows."""
        titles = [column.title for column in self._columns]
        widths = [max(map(width, cells)) for cells in zip(titles, *rows)]
        beside = self._place_note(widths)
        yield self._line(titles, widths, header=True)
        yield Text(self._rule * min(self._room, sum(widths) + _GAP * (len(widths) - 1)), "dim")
        for row in rows:
            yield self._line(row, widths)
            if not beside and row[-1]:
                yield Text(" " * _GAP + row[-1], style=self._columns[-1].style or "dim")

    def _place_note(self, widths: list[int]) -> bool:
        """Make the columns fit; say whether the note stands beside its row."""
        if not self._has_note:
            self._shrink(widths, self._room)
            return True
        wanted = widths.pop()
        left = self._room - sum(widths) - _GAP * len(widths)
        if left < min(wanted, _ROOM_FOR_NOTE):
            self._shrink(widths, self._room)
            return False
        widths.append(min(wanted, left))
        return True

    def _shrink(self, widths: list[int], room: int) -> None:
        """Take from the widest of the columns that may be cut until all fit."""
        while sum(widths) + _GAP * (len(widths) - 1) > room:
            may_give = [p for p, c in enumerate(self._columns[: len(widths)]) if c.cut]
            widest = max(may_give, key=lambda place: widths[place], default=None)
            if widest is None or widths[widest] <= _SMALLEST:
                return
            widths[widest] -= 1

    def _line(self, cells: Sequence[str], widths: Sequence[int], header: bool = False) -> Text:
        line = Text()
        for cell, cells_wide, column in zip(cells, widths, self._columns):
            style = "bold" if header else (column.styles or {}).get(cell, column.style)
            text = Text(cell, style=style)
            text.truncate(cells_wide, overflow="ellipsis")
            blanks = " " * (cells_wide - text.cell_len)
            line.append(" " * _GAP if line else "")
            line.append_text(Text(blanks) + text if column.right else text + Text(blanks))
        return line
