"""Rules on what is spent, and on what others report: `spend`, `raised`, `health`, `sql`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional

import orjson

from indexer.alerts.condition import Condition, subject_of
from indexer.alerts.rule import LEVELS, Rule
from indexer.store.alerts.facts import RaisedAlert, SpendFact

_SHOWN = 500
_NUMBERS = re.compile(r"\d+(?:[.,:]\d+)*")

PER: dict[str, Callable[[SpendFact], str]] = {
    "day": lambda fact: fact.day,
    "run": lambda fact: fact.run_id,
    "agent": lambda fact: f"{fact.agent_name or '(no agent)'} on {fact.day}",
    "model": lambda fact: f"{fact.model or '(no model)'} on {fact.day}",
}
"""What spending is summed up by. Days are UTC days."""


def overspending(rule: Rule, facts: Iterable[SpendFact], since: str) -> Iterator[Condition]:
    """Yield the days, runs, agents or models that spent more than their limit."""
    costs: dict[str, float] = {}
    tokens: dict[str, float] = {}
    runs: dict[str, str] = {}
    for fact in facts:
        if fact.day >= since[:10] and rule.selects(fact.agent_name, fact.job_type):
            subject = PER[rule.per](fact)
            costs[subject] = costs.get(subject, 0.0) + fact.cost_usd
            tokens[subject] = tokens.get(subject, 0.0) + fact.tokens
            runs[subject] = fact.run_id
    for subject, cost in costs.items():
        over = _over(rule, cost, tokens[subject])
        if over is not None:
            run_id = runs[subject] if rule.per == "run" else None
            yield Condition(subject, *over, is_once=True, run_id=run_id)


def raised(rule: Rule, facts: Iterable[RaisedAlert], since: str) -> Iterator[Condition]:
    """Yield the alerts that agents raised since a time, of the rule's level or above."""
    for fact in facts:
        data = orjson.loads(fact.payload_json or "null")
        if fact.time < since or not isinstance(data, dict):
            continue
        level = data.get("level")
        level = level if level in LEVELS else "warning"
        is_meant = LEVELS.index(level) >= LEVELS.index(rule.level)
        if is_meant and rule.selects(fact.agent_name, fact.job_type):
            text = str(data.get("text") or "")[:_SHOWN] or None
            yield Condition(
                fact.event_id,
                str(data.get("title") or "(no title)")[:_SHOWN],
                f"raised by {subject_of(fact.agent_name, fact.job_type)}",
                is_once=True,
                time=fact.time,
                run_id=fact.run_id,
                error=text,
                level=level,
            )


def unhealthy(problems: Iterable[str]) -> Iterator[Condition]:
    """Yield a condition for each thing that makes `telemetry status` degraded.

    Numbers in it change from minute to minute, and make no other alert of it.
    """
    for problem in problems:
        yield Condition(_NUMBERS.sub("#", problem)[:_SHOWN], problem[:_SHOWN], "no finding")


def selected_rows(columns: list[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[Condition]:
    """Yield a condition for each row of a query; its first column is the subject."""
    for row in rows:
        measured = ", ".join(f"{name} {value}" for name, value in zip(columns, row))
        yield Condition(str(row[0])[:_SHOWN], measured[:_SHOWN], "no row")


def _over(rule: Rule, cost: float, tokens: float) -> Optional[tuple[str, str]]:
    if rule.cost_usd is not None and cost > rule.cost_usd:
        return f"{cost:,.2f} USD", f"at most {rule.cost_usd:,.2f} USD per {rule.per}"
    if rule.tokens is not None and tokens > rule.tokens:
        return f"{tokens:,.0f} tokens", f"at most {rule.tokens:,} tokens per {rule.per}"
    return None
