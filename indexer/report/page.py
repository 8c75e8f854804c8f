"""The page: a report as one HTML file that asks for nothing else.

Called by `telemetry report`. Style and pictures are in it, and it has no script; its content
security policy has the browser refuse whatever else could be asked for.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from indexer.report import text
from indexer.report.charts import patterns
from indexer.report.figures import Figures
from indexer.report.markup import Markup, element
from indexer.report.sections import sections


def page(figures: Figures, origin: text.Origin) -> str:
    """Return a report as HTML."""
    body = element(
        "body",
        patterns(),
        element("header", *_head(figures)),
        element("main", *sections(figures)),
        element("footer", *_foot(origin)),
    )
    title = f"Telemetry report, {text.title(figures.period)}"
    return f"<!doctype html>\n{element('html', _meta(title), body, lang='en')}\n"


def _meta(title: str) -> Markup:
    style = files("indexer.report").joinpath("style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )


def _head(figures: Figures) -> list[Markup]:
    period = figures.period
    blocks = [
        element(
            "div",
            element("dt", headline.name),
            element("dd", headline.value),
            element("dd", headline.change, class_="change") if headline.change else None,
            class_="figure",
        )
        for headline in text.headlines(figures)
    ]
    return [
        element("p", "Telemetry report", class_="kind"),
        element("h1", text.title(period)),
        element(
            "p",
            text.span(period),
            class_="span-of-time",
            data_utc_since=period.since,
            data_utc_until=period.until,
        ),
        element("p", text.lead(figures), class_="lead"),
        element("dl", *blocks, class_="figures"),
    ]


def _foot(origin: text.Origin) -> list[Markup]:
    return [
        element("p", text.made(origin), data_utc=origin.made_at),
        element("p", "Times are local; hold the pointer over one, or look into the page, for UTC."),
    ]
