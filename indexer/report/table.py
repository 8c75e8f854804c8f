"""The table of a page: rows with headers, which become blocks where the page is narrow.

Called by the page. A table laid out as blocks is no table to a screen reader any more, so each
part says what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from indexer.report.markup import Markup, element


class Cell(NamedTuple):
    """One cell: what is in it, how it looks, and its name where the headers are not shown."""

    content: Any
    style: Optional[str] = None
    name: Optional[str] = None


def table(
    titles: Sequence[Any], rows: Sequence[Sequence[Cell]], label: str, stacks: bool = True
) -> Markup:
    """Return a table of at least one row; the first cell of each is its header.

    `label` is the id of the heading above it. With `stacks` the rows become blocks on a narrow
    page.
    """
    heads = [
        element("th", title, scope="col", role="columnheader", class_=cell.style)
        for title, cell in zip(titles, rows[0])
    ]
    return element(
        "table",
        element("thead", element("tr", *heads, role="row"), role="rowgroup"),
        element("tbody", *map(_row, rows), role="rowgroup"),
        role="table",
        class_=f"stacks {label}" if stacks else label,
        aria_labelledby=label,
    )


def _row(cells: Sequence[Cell]) -> Markup:
    first, *rest = cells
    header = element("th", first.content, scope="row", role="rowheader", class_=first.style)
    others = [
        element("td", cell.content, role="cell", class_=cell.style, data_name=cell.name)
        for cell in rest
    ]
    return element("tr", header, *others, role="row")
