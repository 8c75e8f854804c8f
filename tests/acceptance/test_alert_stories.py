"""Two thousand stories of alerts, with a virtual clock: each once, none missed, none invented.

Runs, silences, restarts, lost databases, outages, changes to summer time and clocks that are set
back come in any order. What has to have been delivered is worked out from the story alone.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from telemetry_core.timestamp import format_time, moment_of
from tests.support.alerts import AlertBase, rule

_BLOCKS, _STORIES = 50, 40
_FIRST_BLOCK = 12
# Days around which clocks in Berlin change, and one on which they do not.
_STARTS = (1_774_650_000.0, 1_792_790_000.0, 1_790_000_000.0)
_HOUR = 3600.0


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is room: nothing here hangs on a disk."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="alerts-", dir="/dev/shm") as directory:
        yield Path(directory)


class _Story:
    """What happens to one base, and what has to have been delivered in the end."""

    def __init__(self, directory: Path, rng: random.Random) -> None:
        self._rng = rng
        self.base = AlertBase(
            directory,
            rule("each", "failed", agents=["cron", "crawler"]),
            rule("streak", "failed", in_a_row=3, agent="crawler"),
            rule(
                "night",
                "missed",
                cron="30 2 * * *",
                timezone="Europe/Berlin",
                grace="1h",
                agent="cron",
                job="nightly",
            ),
            rule("raised", "raised", level="error"),
            rng=rng,
        )
        self.base.now = rng.choice(_STARTS)
        self.base.restart()
        self.base.settle()
        self.failed: set[str] = set()
        """Runs that failed while nothing was silenced."""
        self.muted: set[str] = set()
        self.raised: set[str] = set()
        self._silent_until = 0.0
        self._begin = self._latest = self.base.now

    def live(self) -> None:
        """Let one thing happen."""
        happens = self._rng.random()
        if happens < 0.35:
            self._run()
        elif happens < 0.42:
            self._raise()
        elif happens < 0.55:
            self.base.settle(self._rng.choice([60.0, _HOUR, 5 * _HOUR, 26 * _HOUR]))
        elif happens < 0.65:
            self.base.restart()
        elif happens < 0.7:
            self.base.lose_database()
        elif happens < 0.78:
            self.base.inbox.is_down = not self.base.inbox.is_down
        elif happens < 0.85:
            self._set_back()
        elif happens < 0.9:
            self._silence()
        else:
            self.base.step(self._rng.random() * 10)

    def finish(self) -> None:
        """Let the receiver be well, every silence end, and all that is due arrive."""
        self.base.inbox.is_down = False
        self.base.now = max(self.base.now, self._silent_until) + 60
        for _ in range(6):
            self.base.settle(_HOUR / 2)

    def _run(self) -> None:
        agent = self._rng.choice(["cron", "crawler", "other"])
        status = self._rng.choice(["success", "failed", "timeout", "cancelled"])
        run_id = self.base.run(status, agent, "nightly")
        if agent != "other" and status in ("failed", "timeout"):
            is_silent = self.base.now < self._silent_until
            (self.muted if is_silent else self.failed).add(run_id)
        self.base.now += 1

    def _raise(self) -> None:
        level = self._rng.choice(["warning", "error", "critical"])
        title = f"raised {len(self.raised)} {self._rng.random()}"
        self.base.write("run.alert", "run-of-raised", title=title, level=level)
        if level != "warning" and self.base.now >= self._silent_until:
            self.raised.add(title)
        self.base.now += 1

    def _set_back(self) -> None:
        # Not within a silence, nor before the story: then nobody could say what was meant.
        if self.base.now >= max(self._silent_until, self._begin) + _HOUR:
            self._latest = max(self._latest, self.base.now)
            self.base.now -= self._rng.random() * 600

    def _silence(self) -> None:
        # A silence is for times: set back, the clock could put into it what came before.
        if self.base.now < max(self._silent_until, self._latest):
            return
        self._silent_until = self.base.now + self._rng.choice([600.0, 5 * _HOUR])
        since, until = (format_time(moment_of(at)) for at in (self.base.now, self._silent_until))
        self.base.write("alert.silenced", "telemetry.alert", rule="*", since=since, until=until)
        # What is written in this very second comes after it.
        self.base.now += 1


def _check(story: _Story, where: object) -> None:
    """Compare what the receiver has with what the story says it has to have."""
    base = story.base
    items = [(one, item) for one in base.messages() for item in one["alerts"]]
    each = [item["subject"] for one, item in items if one["rule"] == "each"]
    assert sorted(each) == sorted(story.failed), where
    raised = [item["measured"] for one, item in items if one["rule"] == "raised"]
    assert sorted(raised) == sorted(story.raised), where
    for name in ("streak", "night"):
        changes: dict[str, list[str]] = {}
        for one, item in items:
            if one["rule"] == name:
                changes.setdefault(item["subject"], []).append(one["change"])
        state = base.state().of(name)
        for subject, order in changes.items():
            # Fired and resolved by turns, and what is open now was fired last.
            assert order == (["fired", "resolved"] * len(order))[: len(order)], (where, name)
            assert (order[-1] == "fired") == (subject in state.open), (where, name)
        assert state.open.keys() <= changes.keys(), (where, name)
        assert state.open.keys() == set(base.truth(name)), (where, name)


def _blocks() -> list[object]:
    """Return the blocks of stories: the first for every run, the others for the laboratory."""
    return [0, *(pytest.param(n, marks=pytest.mark.laboratory) for n in range(1, _BLOCKS + 1))]


@pytest.mark.parametrize("block", _blocks())
def test_each_alert_is_delivered_once(scratch: Path, block: int, laboratory_seed: int) -> None:
    """None is missed, none is invented, and a rebuild in the end sends nothing."""
    for number in range(_STORIES if block else _FIRST_BLOCK):
        rng = random.Random(f"{laboratory_seed} alerts {block} {number}")
        story = _Story(scratch / str(number), rng)
        for _ in range(rng.randrange(5, 25)):
            story.live()
        story.finish()
        _check(story, (block, number))
        before = dict(story.base.inbox.bodies)
        lost_at = format_time(moment_of(story.base.now))
        story.base.lose_database()
        story.base.settle()
        # Time goes on meanwhile, and a schedule may be missed in it.
        of_before = {
            key: body
            for key, body in story.base.inbox.bodies.items()
            if orjson.loads(body)["time"] <= lost_at
        }
        assert of_before == before, (block, number, "sent again after a rebuild")
        story.base.close()
        shutil.rmtree(scratch / str(number))
