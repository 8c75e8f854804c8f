"""The report: what was found, as the Markdown tables of docs/testing-mutation.md.

Called by the command. It tries nothing.
"""

from __future__ import annotations

from collections import Counter

import results
from settings import REASONS, TESTS


def report() -> bool:
    """Print the tables; say whether each survivor has its reason."""
    outcomes = {module: results.read(module) for module in TESTS}
    _print_figures(outcomes)
    survivors = [
        (module, key)
        for module, of_module in outcomes.items()
        for key, outcome in of_module.items()
        if outcome == results.SURVIVED
    ]
    _print_reasons(survivors)
    unexplained = [survivor for survivor in survivors if survivor not in REASONS]
    for module, key in unexplained:
        print(f"no reason is given for {module}: {key}")
    return not unexplained


def _print_figures(outcomes: dict[str, dict[str, str]]) -> None:
    print("| module | mutants | tried | killed | by a time-out | survived | killed, % |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    counts = {module: Counter(of_module.values()) for module, of_module in outcomes.items()}
    for module, of_module in counts.items():
        print(f"| `{module}` | {_figures(of_module)} |")
    print(f"| all | {_figures(sum(counts.values(), Counter()))} |\n")


def _figures(counts: Counter[str]) -> str:
    dead = counts[results.KILLED] + counts[results.TIMEOUT]
    tried = counts.total() - counts[results.UNTRIED]
    share = f"{100 * dead / tried:.1f}" if tried else ""
    cells = (counts.total(), tried, dead, counts[results.TIMEOUT], counts[results.SURVIVED], share)
    return " | ".join(map(str, cells))


def _print_reasons(survivors: list[tuple[str, str]]) -> None:
    print("| module | survivors | why |\n|---|--:|---|")
    known = Counter((one[0], REASONS[one]) for one in survivors if one in REASONS)
    for (module, reason), count in known.items():
        print(f"| `{module}` | {count} | {reason} |")
