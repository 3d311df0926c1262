"""Measure how much worse the searches are than the best possible one, on made-up bugs.

Usage: python benchmarks/landscape.py [--seeds N] [--jobs N] [regret|parallel|judge|diversity …]

Prints Markdown tables: the fraction of seeds solved within a budget of candidates, with a 95 %
interval. See `landscape_world` for the bugs. mctx is a row of the first table where it is
installed (`pip install mctx`).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

from landscape_world import LANDSCAPES, Landscape, World, clairvoyant, optimum, run

from apr.repair import JUDGE_MARGIN
from apr.search.settings import (
    ADAPTIVE,
    APRMCTS,
    RANKED,
    Formula,
    Policy,
    SearchSettings,
    Widening,
)

PROGRESSIVE = replace(RANKED, widening=Widening.PROGRESSIVE, batch=1, max_depth=None)
ERROR = replace(PROGRESSIVE, policy=Policy.TRIAL_AND_ERROR, max_depth=3)
SEARCHES = {
    "adaptive, 1 at a time": replace(ADAPTIVE, batch=1),
    "adaptive": ADAPTIVE,
    "APRMCTS as released": APRMCTS,
    "UCT, progressive": PROGRESSIVE,
    "UCT, progressive, C 0.1, k 1": replace(PROGRESSIVE, exploration=0.1, widening_k=1.0),
    "PUCT, progressive": replace(PROGRESSIVE, formula=Formula.PUCT),
    "ranked": replace(RANKED, max_depth=None),
    "trial and error, chains of 3": ERROR,
    "trial and error, one chain": replace(ERROR, max_depth=None),
    "breadth-first": replace(APRMCTS, policy=Policy.BREADTH_FIRST),
    "the root again and again": replace(RANKED, policy=Policy.ENUMERATE, batch=1),
}
BUDGETS = (16, 32, 64)
SEEN = LANDSCAPES[:5]
"""Those whose levels the tests show."""
CHUNK = 25


@dataclass(frozen=True, slots=True)
class Trial:
    """One search on one landscape, for some seeds and one budget."""

    landscape: Landscape
    settings: SearchSettings
    candidates: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed: candidates to the first plausible patch (budget + 1: none), rounds and answers."""

    first: int
    rounds: int
    asked: int


Measure = Callable[[Sequence[Trial]], list[list[Outcome]]]


def try_seeds(trial: Trial, seeds: range) -> list[Outcome]:
    """What became of each seed."""
    outcomes = []
    for seed in seeds:
        world = World(trial.landscape, seed)
        first, rounds = run(world, trial.settings, trial.candidates)
        outcomes.append(Outcome(first, rounds, world.asked))
    return outcomes


def measuring(pool: ProcessPoolExecutor, seeds: int) -> Measure:
    """Runs trials on all seeds, many at once."""

    def measure(trials: Sequence[Trial]) -> list[list[Outcome]]:
        chunks = [range(first, min(first + CHUNK, seeds)) for first in range(0, seeds, CHUNK)]
        jobs = [[pool.submit(try_seeds, trial, chunk) for chunk in chunks] for trial in trials]
        return [[outcome for job in row for outcome in job.result()] for row in jobs]

    return measure


def solved(outcomes: Sequence[Outcome], budget: int) -> list[float]:
    """1 for each seed solved within the budget, 0 for each other."""
    return [float(outcome.first <= budget) for outcome in outcomes]


def half_width(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean, by the normal approximation."""
    mean = fmean(values)
    variance = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
    return 1.96 * math.sqrt(variance / len(values))


def show(values: Sequence[float]) -> str:
    """A mean with its interval."""
    return f"{fmean(values):.2f} ± {half_width(values):.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def regret(measure: Measure, seeds: int) -> Iterator[str]:
    """Every search against the optimum."""
    names = list(SEARCHES)
    trials = [Trial(land, SEARCHES[n], BUDGETS[-1]) for n in names for land in LANDSCAPES]
    results = iter(measure(trials))
    found = {name: [next(results) for _ in LANDSCAPES] for name in names}
    reference = dict(_reference(seeds))
    for budget in BUDGETS:
        best = [optimum(land, budget) for land in LANDSCAPES]
        all_seeing = [clairvoyant(land, budget) for land in LANDSCAPES]
        rows = [
            ["*best policy*", *(f"{value:.2f}" for value in best), "0"],
            ["*sees dead ends*", *(f"{value:.2f}" for value in all_seeing), ""],
        ]
        for name, outcomes in (found | reference).items():
            columns = [solved(each, budget) for each in outcomes]
            regrets = [
                fmean(b - hit for b, hit in zip(best, hits, strict=True))
                for hits in zip(*columns, strict=True)
            ]
            rows.append([name, *map(show, columns), show(regrets)])
        yield f"### {budget} candidates\n"
        yield table(["search", *(land.name for land in LANDSCAPES), "mean regret"], rows) + "\n"


def _reference(seeds: int) -> Iterator[tuple[str, list[list[Outcome]]]]:
    if importlib.util.find_spec("mctx") is None:
        return
    import landscape_reference as reference

    for name in reference.POLICIES:
        yield (
            name,
            [
                [Outcome(int(first), 0, 0) for first in reference.solved(name, land, seeds, 64)]
                for land in LANDSCAPES
            ],
        )
    same, nodes = reference.same_selections(LANDSCAPES[1], 20, 100, 0.7)
    print(f"PUCT selects the same action as mctx at {same} of {nodes} nodes of its trees.\n")


def parallel(measure: Measure, seeds: int) -> Iterator[str]:
    """Eight expansions side by side against one, at the same number of candidates."""
    shapes = {
        "adaptive": replace(ADAPTIVE, batch=1),
        "UCT": SEARCHES["UCT, progressive, C 0.1, k 1"],
    }
    kinds = [
        ("adaptive", "1/12 of what is left", {}),
        ("adaptive", "1/4 of what is left", {"round_share": 0.25}),
        ("adaptive", "always 8", {"round_share": 1.0}),
        ("UCT", "1/12, watched visits", {}),
        ("UCT", "1/12, virtual loss 1", {"virtual_loss": 1.0}),
    ]
    rows = []
    for budget in (32, 64, 128):
        alone = {
            name: measure([Trial(land, shape, budget) for land in SEEN])
            for name, shape in shapes.items()
        }
        for name, kind, changes in kinds:
            together = replace(shapes[name], parallel=8, **changes)
            many = measure([Trial(land, together, budget) for land in SEEN])
            rows.append([str(budget), name, kind, *_loss(alone[name], many, budget)])
    head = ["candidates", "search", "side by side", "solved by 1", "by 8", "loss", "95 %"]
    yield table([*head, "rounds of 1", "of 8"], rows) + "\n"


def _loss(one: list[list[Outcome]], many: list[list[Outcome]], budget: int) -> list[str]:
    """Means over all landscapes, and the relative loss with a bootstrap interval over seeds."""
    alone, together = (
        [fmean(hits) for hits in zip(*(solved(o, budget) for o in each), strict=True)]
        for each in (one, many)
    )
    rng = random.Random(0)
    picks = [rng.choices(range(len(alone)), k=len(alone)) for _ in range(1000)]
    losses = sorted(
        1 - sum(together[i] for i in pick) / max(sum(alone[i] for i in pick), 1e-9)
        for pick in picks
    )
    rounds = [fmean(o.rounds for each in side for o in each) for side in (one, many)]
    return [
        *(f"{fmean(values):.3f}" for values in (alone, together)),
        f"{1 - fmean(together) / fmean(alone):+.1%}",
        f"{losses[25]:+.1%} … {losses[974]:+.1%}",
        *(f"{value:.0f}" for value in rounds),
    ]


def judge(measure: Measure, seeds: int) -> Iterator[str]:
    """A judge of a given honesty mixed into the reward."""
    plain = Landscape("", (0.25,) * 3, (1.0, 0.7, 0.7), (0.0,) * 3)
    correlations = (0.0, 0.3, 0.5, 0.7, 0.9)
    kinds = [("APRMCTS", APRMCTS, "average", w) for w in (0.0, 0.1, 0.25, 0.5, 1.0)]
    kinds += [("adaptive", ADAPTIVE, "average", w) for w in (0.0, 0.1, 0.5, 1.0)]
    kinds += [("adaptive", ADAPTIVE, "mixed", w) for w in (0.25, 0.5, 1.0)]
    for tests, what in ((None, "tests show every level"), (1, "tests show the goal alone")):
        rows = []
        for name, settings, mode, weight in kinds:
            steered = replace(settings, improvement_margin=JUDGE_MARGIN * weight)
            land = replace(plain, tests=tests, judge_weight=weight, judge_bounded=mode == "mixed")
            asked = correlations if weight else correlations[:1]
            trials = [Trial(replace(land, judge_correlation=c), steered, 32) for c in asked]
            cells = [show(solved(outcomes, 32)) for outcomes in measure(trials)]
            blank = [""] * (len(correlations) - len(cells))
            rows.append([name, f"{mode} {weight:g}" if weight else "tests", *cells, *blank])
        yield f"### {what}, 32 candidates\n"
        head = ["search", "reward", *(f"correlation {c:g}" for c in correlations)]
        yield table(head, rows) + "\n"


def diversity(measure: Measure, seeds: int) -> Iterator[str]:
    """Which of ten answers are tested, by a generator that repeats itself."""
    kinds = {
        "3 asked for": {},
        "10 asked for, the first 3": {"branch": 10, "diverse": False},
        "10 asked for, the 3 most different": {"branch": 10},
    }
    shapes = {"APRMCTS": replace(APRMCTS, branch=None, diverse=True), "adaptive": ADAPTIVE}
    rows = []
    for (shape, settings), (name, changes) in product(shapes.items(), kinds.items()):
        for ideas in (8, None):
            lands = [replace(land, approaches=ideas) for land in SEEN]
            trials = [Trial(land, replace(settings, **changes), 32) for land in lands]
            outcomes = measure(trials)
            means = [fmean(hits) for hits in zip(*(solved(o, 32) for o in outcomes), strict=True)]
            asked = fmean(o.asked for each in outcomes for o in each)
            repeats = "never repeats itself" if ideas is None else "repeats itself"
            rows.append([repeats, shape, name, show(means), f"{asked:.0f}"])
    rows.sort(key=lambda row: row[0], reverse=True)
    yield table(["generator", "search", "answers", "solved", "answers used"], rows) + "\n"


PARTS = {"regret": regret, "parallel": parallel, "judge": judge, "diversity": diversity}


def main() -> None:
    """Print the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        measure = measuring(pool, options.seeds)
        for part in options.parts or PARTS:
            print(f"## {part}\n")
            for text in PARTS[part](measure, options.seeds):
                print(text, flush=True)


if __name__ == "__main__":
    main()
