"""Two thousand stories of forwarding, with a virtual clock: what ended is held, once a key."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from indexer.forward import forwarder
from indexer.forward.sender import Sender
from indexer.outbox.receipts import Receipts
from tests.support.forward import Hostile, a_target
from tests.support.hostile_server import TAKEN_IN, WAYS
from tests.support.story import FakeReceiver, OneProcess, Story

_BLOCKS, _STORIES = 32, 50
_REAL_BLOCKS, _REAL_STORIES = 16, 25


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is room: nothing here hangs on a disk."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="forward-", dir="/dev/shm") as directory:
        yield Path(directory)


def _live(story: Story, rng: random.Random) -> None:
    """Let runs come and change, and let the process die and the database vanish now and then."""
    for _ in range(rng.randrange(3, 10)):
        happens = rng.random()
        if happens < 0.35 or not story.revisions:
            story.add_run()
        elif happens < 0.55:
            story.change(rng.choice(list(story.revisions)))
        elif happens < 0.65:
            story.be_born()
        elif happens < 0.7:
            story.lose_database()
        else:
            story.tick()


def _last_keys(story: Story, poisoned: str) -> set[str]:
    return {f"{run}:{number}" for run, number in story.revisions.items() if run != poisoned}


def _in_order(order: list[str]) -> bool:
    """Whether no revision came for the first time after a later one of its run."""
    latest: dict[str, int] = {}
    for key in dict.fromkeys(order):
        run, _, number = key.rpartition(":")
        if int(number) < latest.get(run, 0):
            return False
        latest[run] = int(number)
    return True


def _blocks(number: int) -> list[object]:
    """Return the blocks of stories: the first for every run, the others for the laboratory."""
    return [0, *(pytest.param(n, marks=pytest.mark.laboratory) for n in range(1, number))]


@pytest.mark.parametrize("block", _blocks(_BLOCKS))
def test_every_run_is_held_however_the_receiver_fails(
    scratch: Path, block: int, laboratory_seed: int
) -> None:
    """Many stories: all that ended is held, every key has one body, poison stops nobody."""
    for number in range(_STORIES):
        rng = random.Random(f"{laboratory_seed} {block} {number}")
        poison = "run-00001" if rng.random() < 0.5 else ""
        receiver = FakeReceiver(rng, poison)
        target = a_target(in_flight=rng.choice([1, 2, 4]), rate=rng.choice([0.5, 20.0]))
        story = Story(scratch / str(number), receiver.for_another_process, target, rng)
        _live(story, rng)
        story.finish()
        where = (block, number)
        assert _last_keys(story, poison) <= receiver.held.keys(), where
        assert _in_order(receiver.order), where
        sent = len(receiver.order)
        story.lose_database()
        story.finish()
        assert len(receiver.order) == sent, (where, "sent again after a rebuild")
        story.close()
        shutil.rmtree(scratch / str(number))


def test_a_run_that_breaks_its_receiver_keeps_nobody_back(tmp_path: Path) -> None:
    """One answers 500 for ever, alone at first so that the target counts as down; others come."""
    rng = random.Random(3)
    receiver = FakeReceiver(rng, bad=0)
    receiver.breaks_at = "run-00000"
    story = Story(tmp_path, receiver.for_another_process, a_target(), rng)
    story.add_run()
    for _ in range(200):
        story.tick()
    assert story.forwarder._active["api"].breaker.condition == "down"
    runs = [story.add_run() for _ in range(5)]
    for _ in range(200):
        story.tick()
    assert receiver.held.keys() == {f"{run}:2" for run in runs}
    story.close()


def test_nothing_more_is_sent_while_receipts_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all of it would be sent again if this process died; and then it goes on."""
    rng = random.Random(4)
    receiver = FakeReceiver(rng, bad=0)
    story = Story(tmp_path, receiver.for_another_process, a_target(in_flight=2), rng)
    runs = [story.add_run() for _ in range(9)]
    kept: list[Any] = []
    write = Receipts.write
    is_well = False

    def flush(receipts: Receipts) -> bool:
        if is_well:
            write(receipts, kept)
            kept.clear()
        return not kept

    with monkeypatch.context() as broken:
        broken.setattr(Receipts, "write", lambda _, events: bool(kept.extend(events)))
        broken.setattr(Receipts, "flush", flush)
        for _ in range(50):
            story.tick()
        assert 0 < len(receiver.order) <= 2
        is_well = True
        story.tick()
    story._receipts.has_news = True
    story.finish()
    assert sorted(receiver.order) == [f"{run}:2" for run in runs], "each once"
    story.close()


def test_a_database_that_fails_as_outcomes_are_noted_stops_nothing_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came back is no longer under way: more runs than may be at once arrive afterwards."""
    rng = random.Random(5)
    receiver = FakeReceiver(rng, bad=0)
    story = Story(tmp_path, receiver.for_another_process, a_target(in_flight=2), rng)
    runs = [story.add_run() for _ in range(9)]

    transaction = forwarder.transaction

    def sometimes(connection: sqlite3.Connection) -> Any:
        if rng.random() < 0.5:
            raise sqlite3.OperationalError("disk I/O error")
        return transaction(connection)

    with monkeypatch.context() as broken:
        broken.setattr(forwarder, "transaction", sometimes)
        for _ in range(30):
            with suppress(sqlite3.OperationalError):
                story.tick()
    story.finish()
    assert receiver.held.keys() == {f"{run}:2" for run in runs}
    story.close()


@pytest.mark.parametrize("block", _blocks(_REAL_BLOCKS))
def test_every_run_reaches_a_real_server_however_it_fails(
    scratch: Path, block: int, laboratory_seed: int
) -> None:
    """Many stories over the network, through each way to fail."""
    answered = threading.Event()

    def await_outcome() -> None:
        assert answered.wait(60), "no outcome within the target's time"
        answered.clear()

    with Hostile() as server:
        sender = Sender(answered.set)
        target = a_target(address=server.url, token="secret", timeout=0.15, in_flight=4)
        for number in range(_REAL_STORIES):
            rng = random.Random(f"{laboratory_seed} real {block} {number}")
            # The ways that take the whole of an attempt's time come less often.
            slow = ["drip", "hang"] if number % 10 == 0 else []
            ways = [way for way in WAYS if way not in ("drip", "hang")] + slow
            poison = "run-00001" if rng.random() < 0.5 else ""
            server.plan(seed=number, ways=ways, poison=poison, bad=3)
            story = Story(
                scratch / str(number), lambda: OneProcess(sender), target, rng, await_outcome
            )
            _live(story, rng)
            story.finish()
            held = server.held(clear=True)
            assert _last_keys(story, poison) <= held["held"].keys(), (block, number)
            assert held["faults"] == [], (block, number)
            assert _in_order(held["order"]), (block, number)
            story.close()
            shutil.rmtree(scratch / str(number))
        sender.close()
    assert set(TAKEN_IN) < set(WAYS)
