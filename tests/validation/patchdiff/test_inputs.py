"""Where inputs come from, and how they become small again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from random import Random

import pytest

from validation.patchdiff.generate import Inputs
from validation.patchdiff.hints import hinted_shape
from validation.patchdiff.model import Call
from validation.patchdiff.shrink import shrink, simpler_values, size_of
from validation.patchdiff.values import Opaque
from validation.patchdiff.variation import sample

SEEDS = [Call((3, "abc", [1, 2])), Call((10, "x", [5]))]


def supply(seeds: Sequence[Call] = SEEDS, hints=("", "", ""), constants=(), seed=0) -> Inputs:
    return Inputs(seeds, hints, constants, Random(seed))


def test_the_calls_of_the_suite_come_first():
    assert supply().take(2) == SEEDS


def test_no_call_comes_twice_and_types_stay():
    calls = supply().take(300)
    keys = {repr(call.arguments) for call in calls}
    assert len(keys) == len(calls) == 300
    assert {tuple(map(type, call.arguments)) for call in calls} == {(int, str, list)}


def test_the_same_seed_gives_the_same_calls():
    assert supply().take(100) == supply().take(100)
    assert supply().take(100) != supply(seed=1).take(100)


def test_extremes_and_literals_of_the_code_are_tried():
    calls = supply(constants=(4711, "magic")).take(400)
    numbers = {call.arguments[0] for call in calls}
    assert {0, -1, 4710, 4711, 4712} <= numbers
    assert any("magic" in call.arguments[1] for call in calls)
    assert [] in [call.arguments[2] for call in calls]
    assert "" in {call.arguments[1] for call in calls}


def test_a_function_nobody_calls_is_called_by_its_hints():
    calls = supply([], ("int", "list[str]")).take(50)
    assert len(calls) == 50
    assert all(isinstance(call.arguments[0], int) for call in calls)
    assert any(call.arguments[1] for call in calls)


def test_nothing_is_made_up_for_what_has_no_hints():
    assert supply([], ("int", "")).take(10) == []
    assert supply([], ("Account",)).take(10) == []


def test_objects_are_changed_in_their_attributes():
    state = {"t": "dict", "v": [["balance", 10], ["owner", "x"]]}
    described = {"t": "made", "f": {"t": "global", "m": "m", "q": "new"}, "a": [], "s": state}
    seed = Call((Opaque(json.dumps(described)),))
    made = [call.arguments[0].described for call in supply([seed], ("",)).take(60)]
    assert len({each["s"]["v"][0][1] for each in made}) > 5
    assert {each["f"]["q"] for each in made} == {"new"}
    assert {each["s"]["v"][0][0] for each in made} == {"balance"}


def test_an_object_that_two_arguments_share_is_never_taken_from_one():
    shared = Opaque(json.dumps({"t": "shared", "n": 1, "v": [1, 2]}))
    reference = Opaque(json.dumps({"t": "ref", "n": 1}))
    calls = supply(
        [Call((shared, reference)), Call((Opaque("[3]"), Opaque("[4]")))], ("", "")
    ).take(40)
    for call in calls:
        if call.arguments[1] == reference:
            assert '"shared"' in call.arguments[0].text


@pytest.mark.parametrize(
    ("hint", "kinds"),
    [
        ("int", {int}),
        ("Optional[str]", {str, type(None)}),
        ("int | None", {int, type(None)}),
        ("typing.List[int]", {list}),
        ("tuple[int, str]", {tuple}),
        ("dict[str, float]", {dict}),
        ("'set[int]'", {set}),
        ("Literal['a', 1]", {str, int}),
    ],
)
def test_hints_become_shapes(hint, kinds):
    shape = hinted_shape(hint)
    assert shape is not None
    rng = Random(0)
    assert {type(sample(shape, rng)) for _ in range(60)} == kinds


@pytest.mark.parametrize(
    "hint", ["", "Account", "list[Account]", "Callable[[int], int]", "(", "a.b"]
)
def test_other_hints_are_none(hint):
    assert hinted_shape(hint) is None


def test_shrinking_keeps_what_differs_and_nothing_else():
    call = Call((-250, "some text", [9, 12, 7, 44], {"a": 1, "b": 2}))

    def differs(calls: Sequence[Call]) -> list[bool]:
        return [c.arguments[0] < -3 and any(n > 10 for n in c.arguments[2]) for c in calls]

    small = shrink(call, differs, 30.0)
    assert small.arguments == (-4, "", [11], {})


def test_every_simpler_value_is_of_the_same_type():
    for value in (
        7,
        -2.75,
        "abc",
        b"ab",
        [1, [2]],
        (1, "a"),
        {3, 4},
        frozenset({1}),
        {"a": 1},
        True,
    ):
        simpler = list(islice(simpler_values(value), 200))
        assert simpler
        assert {type(each) for each in simpler} == {type(value)}


def test_size_counts_parts_before_magnitude():
    assert size_of([]) < size_of([0]) < size_of([5]) < size_of([0, 0])
    assert size_of("aa") < size_of("ab")
    assert size_of(1) < size_of(-1) < size_of(2)


def test_values_of_mixed_kinds_and_without_bounds_are_borne():
    seeds = [Call(([1.5, 2.5, 3.5],)), Call((["a", "b", "c"],)), Call(([1, 10**400, 10**401],))]
    seeds += [Call(([float("nan"), float("inf"), -1.0],)), Call((10**400,)), Call((True,))]
    assert len(supply(seeds, ("list[int]",), ("x", 2.5)).take(500)) > 300


def test_what_one_argument_asks_for_is_often_in_another():
    calls = supply([Call(([11, 555, 9], 7000))], ("", "")).take(200)
    assert sum(call.arguments[1] in (11, 555, 9) for call in calls) >= 5


def test_what_was_not_performed_is_given_again():
    inputs = supply()
    taken = inputs.take(5)
    inputs.put_back(taken[3:])
    assert inputs.take(2) == taken[3:]


def test_texts_change_by_words_of_other_texts():
    seeds = [Call(("alpha-12.txt",)), Call(("beta_7",))]
    texts = {call.arguments[0] for call in supply(seeds, ("",), seed=1).take(400)}
    assert any(text.startswith("beta") and text.endswith(".txt") for text in texts)
    assert any("-" in text and "12" not in text and text.endswith(".txt") for text in texts)


def test_a_list_is_changed_in_all_its_items_at_once():
    lists = [call.arguments[0] for call in supply([Call(([3, 5, 8],))], ("",)).take(200)]
    assert [-3, -5, -8] in lists
