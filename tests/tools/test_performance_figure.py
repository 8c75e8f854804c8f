"""What the measurement makes of what it measured; no time is asserted, only arithmetic."""

from __future__ import annotations

import orjson
import pytest

from tools.performance.figure import Figure, Goal, Spread, compared
from tools.performance.picture import picture
from tools.performance.table import amount, goal_in_words
from tools.performance.turns import by_turns


def figure(ours, floor, goal=None):
    return compared("it", {"ours": ours, "bare": floor}, "us", goal, 1e6)


def test_a_ratio_is_that_of_neighbours_and_not_of_the_middles():
    """A machine that slows down for both leaves it as it was."""
    one = figure([1.2, 2.4, 12.0], [1.0, 2.0, 10.0])
    assert one.ratio == pytest.approx((1.2, 1.2, 1.2))
    assert (one.ours, one.floor, one.floor_name) == (2.4e6, 2.0e6, "bare")


def test_a_spread_leaves_out_the_tenth_on_either_side():
    """One turn in which the machine did something else is not what is shown."""
    assert Spread.of([*range(1, 10), 0, 1_000]) == (5, 1, 9)


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(1.25), True),
        (Goal(1.19), False),
        (Goal(1.19, at_least=True), True),
        (Goal(1.25, at_least=True), False),
        (Goal(1e6, of="ours"), False),
        (Goal(3e6, of="ours"), True),
        (Goal(1e6, of="ours", or_ratio=1.25), True),
        (Goal(1e6, of="ours", or_ratio=1.19), False),
        (Goal(3e6, of="ours", or_ratio=1.19), True),
        (None, None),
    ],
)
def test_a_goal_is_on_the_ratio_or_on_the_value_itself_or_on_either(goal, met):
    """And upwards or downwards."""
    assert figure([2.4], [2.0], goal).is_met() is met


def test_a_figure_read_from_its_record_is_the_same():
    """The page of a run can be made from its JSON, later and elsewhere."""
    one = figure([2.4], [2.0], Goal(1.25))
    assert Figure.read(orjson.loads(orjson.dumps(one.record()))) == one
    alone = Figure("memory", "MB", 70.0, goal=Goal(80, of="ours"), peers={"other": 90.0})
    assert Figure.read(orjson.loads(orjson.dumps(alone.record()))) == alone


def test_sides_take_turns_and_each_begins_every_other_round():
    """Whatever comes first in a round does not always meet what the other left behind."""
    asked = []
    sides = {name: lambda name=name: asked.append(name) or 1.0 for name in "ab"}
    assert by_turns(sides, 3) == {"a": [1.0] * 3, "b": [1.0] * 3}
    assert "".join(asked) == "abbaab"


def test_values_are_shown_with_three_digits_and_goals_with_their_direction():
    """As people read them."""
    assert [amount(value) for value in (12345.6, 45.67, 1.2345)] == [
        "12,346",
        "45.7",
        "1.23",
    ]
    assert goal_in_words(Goal(0.85, at_least=True), "us") == ">= 0.85"
    assert goal_in_words(Goal(200, of="ours"), "us") == "<= 200 us"


def test_a_picture_has_a_dot_for_each_ratio_and_none_where_there_is_none():
    """A figure without a floor has no place on the scale."""
    drawn = picture("title", [figure([2.4], [2.0], Goal(1.25)), Figure("alone", "MB", 1.0)])
    assert (drawn.count("<circle"), "alone" in drawn) == (1, False)
    assert picture("title", [Figure("alone", "MB", 1.0)]) == ""


def test_a_long_name_has_room_in_a_picture():
    """It ends before the scale and begins within the picture."""
    name = "4,000 runs at once, against SQLite's import, in Python alone"
    drawn = picture("title", [figure([2.4], [2.0])._replace(name=name)])
    end = float(drawn.partition(f">{name}")[0].rpartition(' x="')[2].partition('"')[0])
    assert end >= 6 * len(name)
