"""Each experiment once, judged by the oracle.

The suite conducts small rounds. `-m laboratory` conducts the full ones, which CI runs as well.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Callable

import pytest

from tests.laboratory.experiment import Bench, scratch_root

if os.name != "posix":
    pytest.skip("the laboratory needs fork and POSIX signals", allow_module_level=True)

from tests.laboratory.experiments import EXPERIMENTS

Conduct = Callable[..., dict[str, int]]
_BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


@pytest.fixture
def conduct(laboratory_seed: int) -> Conduct:
    """Conduct an experiment with its usual numbers, or with others.

    What a broken guarantee leaves behind is kept: it is the evidence.
    """

    def made(name: str, **numbers: int) -> dict[str, int]:
        experiment = _BY_NAME[name]
        if experiment.why_not():
            pytest.skip(experiment.why_not())
        directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=scratch_root()))
        print("seed", laboratory_seed, "evidence", directory)
        bench = Bench(directory, laboratory_seed)
        done = experiment._replace(numbers={**experiment.numbers, **numbers}).conduct(bench)
        shutil.rmtree(directory)
        return done

    return made


def _rounds(**numbers: tuple[int, int]) -> pytest.MarkDecorator:
    """Parametrize a test with the numbers of a small round and those of the full one."""
    small = {name: sizes[0] for name, sizes in numbers.items()}
    full = {name: sizes[1] for name, sizes in numbers.items()}
    return pytest.mark.parametrize(
        "numbers",
        [
            pytest.param(small, id="small"),
            pytest.param(full, id="full", marks=pytest.mark.laboratory),
        ],
    )


@pytest.mark.laboratory
def test_a_segment_cut_at_any_byte_continues_as_if_nothing_had_happened(conduct: Conduct) -> None:
    """Every truncation point of every corpus: bytes add up, and the rest completes it."""
    assert conduct("truncation")["cuts"] > 5_000


@_rounds(files=(1_500, 100_000))
def test_no_broken_file_stops_the_decoder_or_a_sound_line(
    conduct: Conduct, numbers: dict[str, int]
) -> None:
    """Mutated files and a flip of every byte: no error, no byte lost, no line changed."""
    assert conduct("mutations", **numbers)["files"] == numbers["files"]


@_rounds(examples=(1_000, 20_000))
def test_a_row_does_not_depend_on_how_its_events_came(
    conduct: Conduct, numbers: dict[str, int]
) -> None:
    """Sets of events in any pieces: one row, and one that SQLite stores as it is."""
    assert conduct("folds", **numbers) == {"folds": numbers["examples"]}


@_rounds(runs=(10, 300))
def test_whatever_happens_the_database_agrees_with_the_log(
    conduct: Conduct, numbers: dict[str, int]
) -> None:
    """Stories of 40 disasters: append, tear, rename, restore, rebuild, delete, break."""
    assert conduct("disasters", **numbers)["runs"] >= numbers["runs"]


@pytest.mark.laboratory
def test_no_system_call_of_the_writer_is_a_bad_moment(conduct: Conduct) -> None:
    """Each fails, once and for good, falls short, kills: what was acknowledged is in the log."""
    done = conduct("write-faults")
    assert min(done["errors"], done["kills"]) > 50


@_rounds(kills=(12, 152), errors=(10, 120))
def test_no_system_call_of_the_indexer_is_a_bad_moment(
    conduct: Conduct, numbers: dict[str, int]
) -> None:
    """Kills and errors in passes, rebuilds and recoveries: the database comes right."""
    done = conduct("store-faults", **numbers)
    assert {name: done[name] for name in numbers} == numbers


def test_a_lock_whose_holder_is_stopped_delays_no_event_and_no_agent(conduct: Conduct) -> None:
    """Each call returns, each event is acknowledged, and all are in the database."""
    assert conduct("held-lock", seconds=1)["calls"] > 50


@_rounds(writer_kills=(12, 150), indexer_kills=(6, 75))
def test_a_fleet_killed_at_random_loses_and_doubles_nothing(
    conduct: Conduct, numbers: dict[str, int]
) -> None:
    """8 processes of 4 threads and the daemon are killed: each event is stored once."""
    assert conduct("fleet", **numbers)["events"] > 500
