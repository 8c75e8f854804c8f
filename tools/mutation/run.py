"""The run: the mutants of some modules tried, as far as no test is known to kill them.

Called by the command.
"""

from __future__ import annotations

from collections import Counter

import results
from bench import Bench
from mutants import Mutant, mutants_of
from reach import Reach
from results import SURVIVED, UNTRIED
from settings import OPERATORS, ROOT, STATE


def run(modules: list[str]) -> None:
    """Try the mutants and keep their outcomes; print what survives."""
    STATE.mkdir(exist_ok=True)
    reach = Reach()
    with Bench(reach) as bench:
        for module in modules:
            if not reach.tests_of(module, None):
                raise SystemExit(f"{module}: by the map no test goes there; make it anew")
            _run_module(module, bench)


def _run_module(module: str, bench: Bench) -> None:
    source = (ROOT / module).read_text()
    if [outcome for _, outcome in bench.outcomes(module, [Mutant("", None, source)])] != [SURVIVED]:
        raise SystemExit(f"{module}: the tests fail without any mutation")
    known, mutants = results.read(module), list(mutants_of(source, OPERATORS))
    outcomes = {one.key: known.get(one.key, UNTRIED) for one in mutants}
    open_ones = (UNTRIED, SURVIVED)
    todo = {one.key: one for one in mutants if outcomes[one.key] in open_ones}
    for key, outcome in bench.outcomes(module, list(todo.values())):
        outcomes[key] = outcome
        if outcome == SURVIVED:
            print(f"{module}:{todo[key].line}: {key}", flush=True)
        results.write(module, outcomes)
    print(module, dict(Counter(outcomes.values())), flush=True)
