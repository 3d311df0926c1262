"""The searches on landscapes whose optimum is known; benchmarks/landscape.py has more of them."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from apr.search.settings import ADAPTIVE, APRMCTS, Policy, SearchSettings, Widening
from support.scripts import load_script

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "landscape_world.py"
SEEDS = 60


@pytest.fixture(scope="module")
def world() -> ModuleType:
    return load_script(SCRIPT)


def found(world: ModuleType, landscape: Any, settings: SearchSettings, budget: int) -> float:
    """The fraction of the seeds that were solved."""
    firsts = [world.run(world.World(landscape, seed), settings, budget)[0] for seed in range(SEEDS)]
    return sum(first <= budget for first in firsts) / SEEDS


# --- the optimum


def test_with_one_level_the_optimum_is_one_minus_all_misses(world: ModuleType) -> None:
    single = world.Landscape("one", (0.3,), (1.0,), (0.1,))
    assert world.optimum(single, 5) == pytest.approx(1 - 0.6**5)
    assert world.clairvoyant(single, 5) == pytest.approx(1 - 0.6**5)


def test_with_two_certain_levels_the_optimum_is_a_sum_of_two_waits(world: ModuleType) -> None:
    double = world.Landscape("two", (0.5, 0.25), (1.0, 1.0), (0.0, 0.0))
    # the first level after i candidates, the second within the other n - i
    expected = sum(0.5**i * (1 - 0.75 ** (6 - i)) for i in range(1, 6))
    assert world.optimum(double, 6) == pytest.approx(expected)


def test_belief_falls_with_every_failure_as_bayes_has_it(world: ModuleType) -> None:
    assert world.posterior(0.5, 0.5, 0) == 0.5
    assert world.posterior(0.5, 0.5, 2) == pytest.approx(0.125 / 0.625)


@pytest.mark.parametrize("prior", [0.2, 0.5, 0.9])
def test_the_optimum_is_that_of_a_search_through_all_policies(
    world: ModuleType, prior: float
) -> None:
    """Brute force over every state of belief of a small landscape, nothing left out."""
    small = world.Landscape("small", (0.6, 0.5), (1.0, prior), (0.05, 0.1))
    success = small.leap[1] + small.up[1]

    @cache
    def best(arms: tuple[int, ...], left: int) -> float:
        if left == 0:
            return 0.0
        grown = tuple(sorted((*arms, 0)))
        root = small.leap[0] + small.up[0] * best(grown, left - 1)
        root += (1 - small.leap[0] - small.up[0]) * best(arms, left - 1)
        values = [root]
        for position, failures in enumerate(arms):
            chance = world.posterior(prior, success, failures) * success
            after = tuple(sorted((*arms[:position], failures + 1, *arms[position + 1 :])))
            values.append(chance + (1 - chance) * best(after, left - 1))
        return max(values)

    for budget in (1, 4, 9):
        assert world.optimum(small, budget) == pytest.approx(best((), budget), abs=1e-9)


def test_no_policy_beats_the_one_that_sees_what_is_promising(world: ModuleType) -> None:
    for landscape in world.LANDSCAPES:
        assert world.optimum(landscape, 24) <= world.clairvoyant(landscape, 24) + 1e-12


def test_a_landscape_without_a_known_optimum_is_refused(world: ModuleType) -> None:
    with pytest.raises(ValueError, match="would not be known"):
        world.Landscape("bad", (0.3, 0.3), (1.0, 0.5), (0.2, 0.1))


def test_refinements_have_the_frequencies_of_the_landscape(world: ModuleType) -> None:
    landscape = world.Landscape("law", (0.3, 0.3), (1.0, 0.5), (0.1, 0.1))
    rng = random.Random(0)
    drawn = [world.refine(landscape, world.Latent(0, True), rng) for _ in range(4000)]
    assert sum(each.level == 2 for each in drawn) / 4000 == pytest.approx(0.1, abs=0.02)
    risen = [each for each in drawn if each.level == 1]
    assert len(risen) / 4000 == pytest.approx(0.3, abs=0.03)
    assert sum(each.is_promising for each in risen) / len(risen) == pytest.approx(0.5, abs=0.05)
    dead = [world.refine(landscape, world.Latent(1, False), rng) for _ in range(500)]
    assert max(each.level for each in dead) == 1


# --- the searches


def named(world: ModuleType, name: str) -> Any:
    return next(each for each in world.LANDSCAPES if each.name == name)


@pytest.mark.parametrize("name", ["slope", "dead ends", "deep"])
def test_the_adaptive_search_comes_close_to_the_optimum(world: ModuleType, name: str) -> None:
    landscape = named(world, name)
    solved = found(world, landscape, replace(ADAPTIVE, batch=1), 48)
    assert solved >= world.optimum(landscape, 48) - 0.18  # three standard errors of 60 seeds


def test_where_rewards_lead_the_tree_beats_the_controls(world: ModuleType) -> None:
    slope = named(world, "slope")
    controls = [
        replace(APRMCTS, policy=Policy.BREADTH_FIRST),
        SearchSettings(
            policy=Policy.TRIAL_AND_ERROR, widening=Widening.PROGRESSIVE, batch=1, max_depth=3
        ),
    ]
    published = found(world, slope, APRMCTS, 48)
    assert published >= max(found(world, slope, control, 48) for control in controls) + 0.15
    assert found(world, slope, ADAPTIVE, 48) >= published + 0.15


def test_eight_at_once_lose_little_of_what_one_after_the_other_finds(world: ModuleType) -> None:
    landscapes = [named(world, name) for name in ("slope", "dead ends", "lottery")]
    one, eight = (
        sum(
            found(world, each, replace(ADAPTIVE, batch=1, parallel=workers), 64)
            for each in landscapes
        )
        for workers in (1, 8)
    )
    assert eight >= one * 0.9  # the benchmark's 200 seeds say how little
