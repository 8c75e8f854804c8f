"""The fault laboratory, small: each experiment once, judged by the oracle."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Callable

import pytest

from tests.laboratory.experiment import Bench, scratch_root
from tests.laboratory.experiments import EXPERIMENTS

Conduct = Callable[..., dict[str, int]]
_BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


@pytest.fixture
def conduct(laboratory_seed: int) -> Conduct:
    """Make an experiment with the numbers of a small round, or part of it with other ones.

    What a broken promise leaves stays, for it is the evidence.
    """

    def made(name: str, part: int = 0, **numbers: int) -> dict[str, int]:
        experiment = _BY_NAME[name]
        if experiment.why_not():
            pytest.skip(experiment.why_not())
        directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=scratch_root()))
        print("seed", laboratory_seed, "evidence", directory)
        bench = Bench(directory, laboratory_seed + part)
        done = experiment._replace(numbers={**experiment.numbers, **numbers}).conduct(bench)
        shutil.rmtree(directory)
        return done

    return made


def test_a_file_cut_at_any_byte_goes_on_as_if_nothing_had_happened(conduct: Conduct) -> None:
    """Every truncation point of every corpus: bytes add up, and the rest makes it whole."""
    assert conduct("truncation")["cuts"] > 5_000


@pytest.mark.parametrize("part", range(2))
def test_no_broken_file_stops_the_decoder_or_a_sound_line(conduct: Conduct, part: int) -> None:
    """100,000 mutated files and a flip of every byte: no error, no byte lost, no line changed."""
    assert conduct("mutations", part, files=50_000)["files"] == 50_000


def test_a_row_does_not_depend_on_how_its_events_came(conduct: Conduct) -> None:
    """20,000 sets of events, in any pieces: one row, and one that SQLite holds as it is."""
    assert conduct("folds") == {"folds": 20_000}


@pytest.mark.parametrize("part", range(3))
def test_whatever_happens_the_view_comes_out_as_the_log_says(conduct: Conduct, part: int) -> None:
    """300 stories of 40 disasters: append, tear, rename, restore, rebuild, delete, break."""
    assert conduct("disasters", part, runs=100)["runs"] >= 100


def test_no_system_call_of_the_writer_is_a_bad_moment(conduct: Conduct) -> None:
    """Each fails, once and for good, falls short, kills: what was acknowledged is in the log."""
    done = conduct("write-faults")
    assert min(done["errors"], done["kills"]) > 50


@pytest.mark.parametrize("part", range(2))
def test_no_system_call_of_the_indexer_is_a_bad_moment(conduct: Conduct, part: int) -> None:
    """150 kills and 120 errors in passes, rebuilds and recoveries: the view comes right."""
    done = conduct("store-faults", part, kills=76, errors=60)
    assert (done["kills"], done["errors"]) == (76, 60)


def test_a_lock_whose_holder_is_stopped_keeps_no_event_and_no_agent(conduct: Conduct) -> None:
    """Each call returns, each event is acknowledged, and all are in the view."""
    assert conduct("held-lock")["calls"] > 100


def test_a_fleet_killed_at_random_loses_and_doubles_nothing(conduct: Conduct) -> None:
    """8 processes of 4 threads and the daemon: 150 and 75 kills, each event in the view once."""
    assert conduct("fleet")["events"] > 5_000
