"""Which sections are measured, and how what they find is shown.

Called by tools/measure_performance.py.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Optional

import click
import orjson
from rich.console import Console

from tools.performance.figure import Figure
from tools.performance.machine import describe
from tools.performance.page import write_page
from tools.performance.section import NEED_ASKING, NEED_NETWORK, Bench, present, section
from tools.performance.table import WIDTH, print_table


@click.command()
@click.argument("sections", nargs=-1, type=click.Choice(present()))
@click.option("--quick", is_flag=True, help="A tenth of the repetitions: a glance, no result.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--peers", is_flag=True, help="Also what others take; installs them, elsewhere.")
@click.option("--sessions", type=int, default=0, help="Import so many session files of 1 MB.")
@click.option("--hosts", type=click.IntRange(0), default=0, help="Simulate a fleet of so many.")
@click.option(
    "--events", type=click.IntRange(0), default=0, help="... which records so many events."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Work here rather than in the system's temporary directory.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Measure nothing; show the figures of this file, which `--json` printed.",
)
@click.option(
    "--write-docs", is_flag=True, help="Put them into docs/internals/performance.md, with pictures."
)
def main(
    *,
    sections: tuple[str, ...],
    quick: bool,
    as_json: bool,
    peers: bool,
    sessions: int,
    hosts: int,
    events: int,
    directory: Optional[Path],
    source: Optional[Path],
    write_docs: bool,
) -> None:
    """Measure what telemetry costs, each figure next to the least that it could cost.

    Ours and the floor take turns of a few hundred calls; a ratio is the median over the turns,
    with what 10 and 90 of 100 were not above. Without SECTIONS all of them are measured, but for
    the peers and dashboards, which need the network, and the fleet, which needs chdb-core.
    """
    chosen = sections or [name for name in present() if name not in NEED_ASKING]
    names = [name for name in present() if name in chosen or (peers and name in NEED_NETWORK)]
    screen = Console(stderr=as_json)
    screen.width = max(screen.width, WIDTH)
    if source is None:
        record = _measured(names, _Effort(quick, sessions, hosts, events), directory, screen)
    else:
        record = _read(source, screen)
    if write_docs:
        write_page(record)
    if as_json:
        click.echo(orjson.dumps(record, option=orjson.OPT_INDENT_2))


def _read(source: Path, screen: Console) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(source.read_bytes())
    for found in record["sections"]:
        print_table(screen, found["title"], [Figure.read(one) for one in found["figures"]])
    return record


class _Effort(NamedTuple):
    """How much of everything to measure."""

    quick: bool
    sessions: int
    hosts: int
    events: int


def _measured(
    names: list[str], effort: _Effort, directory: Optional[Path], screen: Console
) -> dict[str, Any]:
    work = Path(tempfile.mkdtemp(prefix="performance-", dir=directory))
    try:
        return {
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "quick": effort.quick,
            "machine": describe(work),
            "sections": [_section(name, work / name, effort, screen) for name in names],
        }
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _section(name: str, directory: Path, effort: _Effort, screen: Console) -> dict[str, Any]:
    """Measure one section, show its table, and return it for the record."""
    directory.mkdir()
    chosen = section(name)
    begun = time.monotonic()
    with screen.status(f"{chosen.title} ...") as status:

        def say(text: str) -> None:
            status.update(f"{chosen.title}: {text} ...")

        bench = Bench(directory, effort.quick, say, *effort[1:])
        figures = list(chosen.run(bench))
    shutil.rmtree(directory)
    print_table(screen, chosen.title, figures)
    return {
        "name": name,
        "title": chosen.title,
        "seconds": round(time.monotonic() - begun, 1),
        "figures": [figure.record() for figure in figures],
    }
