"""The state of the rules is a function of the set of alert events, and of nothing else."""

from __future__ import annotations

import random
from pathlib import Path

from indexer.alerts.state import read_state
from indexer.store.alerts.events import AlertEvent
from telemetry_core.timestamp import moment_of
from tests.support.alerts import AlertBase, rule


def _event(kind: str, number: int, time: str, *subjects: str) -> AlertEvent:
    items = [{"subject": one, "occurrence": str(number)} for one in subjects]
    data = {"number": number, "time": time, "channels": ["hook"], "items": items}
    return AlertEvent(kind, "telemetry.alert.r", time, f"{kind}-{number}", data)


def _history() -> list[AlertEvent]:
    times = ("03", "01", "05", "02")
    kinds = ("alert.fired", "alert.resolved", "alert.fired", "alert.resolved")
    names = (("a", "b"), ("a",), ("a", "c"), ("b", "c"))
    return [
        _event(kind, number, f"2026-01-01T{time}:00:00.000000Z", *subjects)
        for number, (kind, time, subjects) in enumerate(zip(kinds, times, names), 1)
    ]


def test_messages_are_in_the_order_of_their_numbers_whatever_the_clock_said() -> None:
    """Set back between two of them, a clock would have the first resolved before it fired."""
    state = read_state(_history()).of("r")
    assert state.open.keys() == {"a"}
    assert [one.number for one in state.messages] == [1, 2, 3, 4]


def test_any_order_and_any_repetition_give_the_same_state() -> None:
    """A spill file is read late, and a copied segment twice."""
    events = _history()
    expected = read_state(events)
    for seed in range(30):
        shuffled = [*events, *random.Random(seed).sample(events, 2)]
        random.Random(seed).shuffle(shuffled)
        state = read_state(shuffled)
        assert state.of("r").open == expected.of("r").open
        assert state.of("r").fired == expected.of("r").fired


def test_a_number_whose_message_was_pruned_is_not_given_again() -> None:
    """Its receipt, a day younger, would settle the new message unsent."""
    data = {"target": "alert:hook", "revision": 7, "outcome": "delivered"}
    receipt = AlertEvent("alert.delivered", "telemetry.alert.r", "2026-01-02", "id", data)
    assert read_state([receipt]).of("r").number == 7


def test_what_was_written_is_not_written_again_before_it_was_read_back(tmp_path: Path) -> None:
    """Evaluated twice without a pass in between, a rule fires once."""
    base = AlertBase(tmp_path / "base", rule("failures", "failed"))
    base.settle()
    base.run("failed")
    assert base.session is not None
    base.session.run_pass()
    now = moment_of(base.now)
    assert base.alerting.evaluate(base.session.connection, now)
    assert not base.alerting.evaluate(base.session.connection, now)
    base.settle()
    assert len(base.state().of("failures").messages) == 1
    base.close()


def test_a_restored_backup_repeats_the_key_of_what_it_has_forgotten(tmp_path: Path) -> None:
    """The receiver has each message once, though the log does not know that it was sent."""
    base = AlertBase(tmp_path / "base", rule("failures", "failed"))
    base.settle()
    base.run("failed")
    base.step(0.0)
    log = base.directory / "raw"
    backup = {file.name: file.read_bytes() for file in log.iterdir() if file.suffix == ".ndjson"}
    backup = {
        name: b"".join(
            line for line in data.splitlines(keepends=True) if b"alert.fired" not in line
        )
        for name, data in backup.items()
    }
    base.settle(60)
    assert len(base.messages()) == 1
    # It fires again, at another time: the key is what tells the receiver.
    base.inbox.bodies.clear()
    for name, data in backup.items():
        (log / name).write_bytes(data)
    base.lose_database()
    base.settle(60)
    assert len(base.state().of("failures").messages) == 1
    assert len(base.messages()) == 1
    base.close()
