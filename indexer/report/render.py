"""Fill the templates of a report: one HTML file that asks for nothing else, and Markdown.

Everything is escaped, so that nothing an agent wrote becomes an element, an attribute, a script or
Markdown. The page's content security policy makes a browser refuse whatever else it could ask for.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from indexer.report import charts, text
from indexer.report.model import Figures
from indexer.report.period import key_in_words
from indexer.report.time_scale import TimeScale
from indexer.terminal.format import count, duration, plain
from indexer.terminal.runs_table import short_id

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#!|~$])")
_BLOCKS = 24


def html(figures: Figures, origin: text.Origin) -> str:
    """Return a report as HTML."""
    style = files("indexer.report").joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    template = _html_environment().get_template("report.html")
    return template.render(
        **_values(figures, origin),
        style=Markup(style),  # noqa: S704  # our own file
        policy=policy,
        patterns=_markup(charts.patterns()),
        bars=_markup(charts.stacked_bars(figures.parts, f"Runs by {figures.period.unit}")),
        scale=TimeScale.of(figures.agents),
    )


def markdown(figures: Figures, origin: text.Origin) -> str:
    """Return a report as Markdown, with tables as GitHub has them."""
    highest = max((sum(statuses.values()) for statuses in figures.parts.values()), default=0)
    template = _markdown_environment().get_template("report.md")
    rendered = template.render(
        **_values(figures, origin),
        bar=lambda runs: "\u2588" * -(-_BLOCKS * runs // highest) if highest else "",
    )
    return re.sub(r"\n{3,}", "\n\n", rendered).strip() + "\n"


def _values(figures: Figures, origin: text.Origin) -> dict[str, Any]:
    used = [
        status
        for status in charts.STACKED
        if any(statuses.get(status) for statuses in figures.parts.values())
    ]
    return {
        "figures": figures,
        "period": figures.period,
        "origin": origin,
        "used": used,
        "moment": lambda value: figures.period.in_words(value) if value else "",
        "text": text,
    }


@lru_cache(maxsize=1)
def _html_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("indexer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    _add_filters(environment)
    environment.filters.update(
        swatch=lambda status: _markup(charts.swatch(status)),
        rate_bar=lambda rate: _markup(charts.rate_bar(rate)),
        time_row=lambda agent, scale: _markup(scale.row(agent)),
        time_header=lambda scale: _markup(scale.header()),
        anchor=_anchor,
    )
    return environment


@lru_cache(maxsize=1)
def _markdown_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("indexer.report"),
        autoescape=False,  # noqa: S701  # the template escapes for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    _add_filters(environment)
    environment.filters["escape"] = environment.filters["e"] = escaped
    return environment


def _add_filters(environment: Environment) -> None:
    environment.filters.update(
        count=count,
        duration=duration,
        name=text.name,
        clipped=text.clipped,
        rate=text.rate,
        short_id=short_id,
        page_of=_page_of,
        part=key_in_words,
    )


def escaped(value: Any) -> str:
    """Return text that Markdown shows as it is."""
    shown = plain(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", shown)


def _shown(value: Any) -> Any:
    """Return a value without characters that a browser acts on or hides."""
    return value if isinstance(value, Markup) else plain(value)


def _markup(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704  # made by `element`, which escapes


def _page_of(origin: text.Origin, run_id: str) -> str:
    """Return the address of a run's live page."""
    return f"{origin.link}/runs/{quote(run_id, safe='')}"


def _anchor(run_id: str) -> str:
    """Return the id of a run's details on the page: letters and digits only."""
    return "run-" + hashlib.blake2b(run_id.encode("utf-8", "replace"), digest_size=8).hexdigest()
