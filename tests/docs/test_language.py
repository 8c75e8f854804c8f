"""Pages and help are in plain English: words that read translated are not in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from indexer.cli.main import cli
from tests.support.process import ROOT

_AVOIDED = re.compile(
    r"\b(told|beside|anew|whoever|of ours|dice|dear|lets? (us )?in|stands? in|held against"
    r"|as long)\b",
    re.IGNORECASE,
)


def _helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _helps(child, click.Context(child, info_name=name, parent=context))


def test_no_page_has_a_word_that_reads_translated() -> None:
    """README, changelog, and every page of docs/; the runbook has every alarm."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert len(pages) > 30
    found = [
        f"{page.name}:{number}: {match[0]}"
        for page in pages
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for match in _AVOIDED.finditer(line)
    ]
    assert found == []


def test_no_help_has_a_word_that_reads_translated() -> None:
    """Every command and subcommand, as --help prints it."""
    helps = dict(_helps(cli, click.Context(cli, info_name="telemetry")))
    assert len(helps) > 40
    assert {
        name: match[0] for name, text in helps.items() if (match := _AVOIDED.search(text))
    } == {}
