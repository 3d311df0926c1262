from __future__ import annotations

from itertools import islice
from typing import Any

from apr.datasets.inputs import generate_cases
from validation.patchdiff.shapes import Constants, Items, Numbers, Strings, Union, infer_shape


def generate(*seeds: tuple[Any, ...], count: int = 150, **options: Any) -> list[tuple[Any, ...]]:
    cases = islice(generate_cases(seeds, 7, **options), count)
    return [case.args for case in cases]


def test_range_of_numbers_is_that_of_the_examples() -> None:
    assert infer_shape([3, -1, 8]) == Numbers(int, -1, 8)
    assert infer_shape([1, 2.5]) == Numbers(float, 1, 2.5)


def test_truth_values_are_no_numbers() -> None:
    assert infer_shape([True, False]) == Constants((True, False))


def test_claims_hold_of_every_example() -> None:
    shape = infer_shape([[1, 2, 2], [], [5]])
    assert isinstance(shape, Items)
    assert (shape.is_sorted, shape.is_unique, shape.is_palindrome) == (True, False, False)


def test_short_examples_prove_no_claim() -> None:
    shape = infer_shape([[1, 2], [3]])
    assert isinstance(shape, Items)
    assert not shape.is_sorted


def test_texts_beside_other_types_are_taken_as_they_are() -> None:
    shape = infer_shape([[1, "+", 2, "-", 3]])
    assert isinstance(shape, Items)
    assert shape.element == Union((Numbers(int, 1, 3), Constants(("+", "-"))))


def test_pairs_stay_pairs() -> None:
    shape = infer_shape([[4, "a"], [5, "b"], [6, "a"]])
    assert isinstance(shape, Items)
    assert shape.columns == (Numbers(int, 4, 6), Strings("ab", 1, 1, ("a", "b")))


def test_seeds_come_first_and_nothing_comes_twice() -> None:
    seeds = (([3, 1], 2), ([], 5))
    made = generate(*seeds)
    assert made[:2] == list(seeds)
    assert len({repr(args) for args in made}) == len(made) == 150


def test_same_seed_same_cases() -> None:
    seeds = (("abc", [1.5]), ("", [2.0, 3.5]))
    assert generate(*seeds) == generate(*seeds)


def test_sorted_lists_stay_sorted_and_non_negative() -> None:
    for items, _ in generate(([1, 4, 6, 6], 3), ([0, 2, 9], 1)):
        assert items == sorted(items)
        assert all(item >= 0 for item in items)


def test_unique_elements_stay_unique() -> None:
    for (items,) in generate(([5, 3, 9, 1],), ([7, 2, 4],)):
        assert len(set(items)) == len(items)


def test_lists_of_one_length_keep_one_length() -> None:
    made = generate(([1, 2, 3], [7, 8, 9]), ([4], [4]), ([5, 1], [0, 6]))
    assert all(len(left) == len(right) for left, right in made)


def test_characters_are_those_of_the_examples() -> None:
    assert {char for (text,) in generate(("(())",), (")(",)) for char in text} == set("()")


def test_invalid_inputs_are_left_out_and_end_the_search() -> None:
    made = generate((1,), (2,), is_valid=lambda args: args[0] in (1, 2, 3, 4))
    assert sorted(made) == [(1,), (2,), (3,), (4,)]


def test_without_seeds_there_is_nothing() -> None:
    assert generate() == []
