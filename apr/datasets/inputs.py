"""Extra inputs from examples: seeds first, then seeds varied and values sampled to their shape."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from apr.datasets.cases import Case
from validation.patchdiff.shapes import Numbers, Shape, infer_shape
from validation.patchdiff.variation import sample, vary

Args = tuple[Any, ...]


def generate_cases(
    seeds: Sequence[Args], seed: int, is_valid: Callable[[Args], bool] = lambda _args: True
) -> Iterator[Case]:
    """The seeds themselves, then new cases without end; a case is never given twice in a row.

    Ends after 2,000 rejected inputs in succession, or at once when there are no seeds.
    """
    rng = Random(seed)
    for args in seeds:
        yield Case(copy.deepcopy(args))
    arities = sorted({len(args) for args in seeds})
    groups = [_group([args for args in seeds if len(args) == arity]) for arity in arities]
    rejected = 0
    seen = {repr(args) for args in seeds}
    while groups and rejected < 2000:
        args = _make_args(*rng.choice(groups), rng)
        rejected += 1
        if repr(args) not in seen and _is_fine(args, is_valid):
            rejected = 0
            seen.add(repr(args))
            yield Case(args)


def _is_fine(args: Args, is_valid: Callable[[Args], bool]) -> bool:
    try:
        return is_valid(args)
    except (TypeError, ValueError, IndexError, KeyError):
        return False


def _group(seeds: Sequence[Args]) -> tuple[Sequence[Args], list[Shape]]:
    return seeds, [_widen(infer_shape(column)) for column in zip(*seeds, strict=True)]


def _widen(shape: Shape) -> Shape:
    """An argument that is one number may exceed a narrow range of examples."""
    if isinstance(shape, Numbers) and 0 <= shape.high - shape.low < 20:
        return replace(shape, high=shape.high + 10)
    return shape


def _make_args(seeds: Sequence[Args], shapes: Sequence[Shape], rng: Random) -> Args:
    if rng.random() < 0.4:
        args = [sample(shape, rng) for shape in shapes]
    else:
        args = copy.deepcopy(list(rng.choice(seeds)))
        for index in rng.sample(range(len(args)), rng.randint(min(1, len(args)), len(args))):
            args[index] = vary(args[index], shapes[index], rng)
    return tuple(_restore_equal_lengths(args, seeds))


def _restore_equal_lengths(args: list[Any], seeds: Sequence[Args]) -> list[Any]:
    """Lists that have the same length in every seed keep having it."""
    sized = [i for i, arg in enumerate(args) if isinstance(arg, list)]
    related = [
        i
        for i in sized
        if all(isinstance(s[i], list) and len(s[i]) == len(s[sized[0]]) for s in seeds)
    ]
    if len(related) > 1:
        shortest = min(len(args[i]) for i in related)
        for i in related:
            args[i] = args[i][:shortest]
    return args
