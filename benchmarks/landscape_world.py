"""Made-up bugs whose generator is known in full, so that the best possible search is computable.

A candidate has a *level* from 0 (the buggy program) to the goal, and is *promising* or a dead end,
which nothing shows but what becomes of its refinements. Each refinement of a promising candidate
of level q is the goal with probability `leap[q]`, of level q + 1 with `up[q]` (and promising again
with `promising[q + 1]`); otherwise it breaks the program, falls back, or is the same candidate in
other words. Refinements of a dead end only do the latter. Tests see levels, through noise.

Draws depend on the seed, the candidate refined and the number of the draw alone: whatever searches
with one seed, searches in the same world.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.patch import Hunk, Patch
from apr.core.ports import Proposal, RepairContext
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Budget
from apr.core.tree import SearchNode
from apr.search.budget import BudgetMeter
from apr.search.loop import SearchStep, search
from apr.search.reward import MixedReward, TestReward
from apr.search.settings import SearchSettings

CONTEXT = RepairContext(
    bug=Bug(subject="/nowhere", test_command=TestCommand(RunnerKind.PYTEST)),
    sources={},
    locations=(),
    failures=(),
    test_sources={},
)


MEAN_QUALITY, SD_QUALITY = 0.45, 0.25
"""Of the candidates that a search sees, roughly: what a judge's opinion is scaled by."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """The laws of one kind of bug; every tuple has an entry for each level below the goal.

    `leap` must not fall with the level and `promising[0]` must be 1, or the optimum is no longer
    the one that `optimum` computes. `broken` and `fallen` are fractions of the refinements that do
    not improve. `noise` is the standard deviation added to rewards of patches that run.
    """

    name: str
    up: tuple[float, ...]
    promising: tuple[float, ...]
    leap: tuple[float, ...]
    broken: float = 0.2
    fallen: float = 0.4
    noise: float = 0.0
    tests: int | None = None
    """Trigger tests, by which levels show; None: as many as there are levels."""
    approaches: int | None = None
    """How many ideas the generator has for a candidate, the next always half as likely as the one
    before; two patches of one idea differ in a word, and behave alike. None: never the same."""
    judge_weight: float = 0.0
    judge_bounded: bool = False
    """How a judge takes part in the reward; see `MixedReward`."""
    judge_correlation: float = 0.0
    """How much of the judge's opinion is about the candidate, and not chance; in [0, 1]."""

    def __post_init__(self) -> None:
        if list(self.leap) != sorted(self.leap) or self.promising[0] != 1.0:
            raise ValueError(f"the optimum of {self.name} would not be known")
        if not len(self.up) == len(self.promising) == len(self.leap):
            raise ValueError(f"{self.name} does not say the same number of levels everywhere")

    @property
    def goal(self) -> int:
        """The level at which a candidate is plausible."""
        return len(self.up)


LANDSCAPES = (
    Landscape("slope", (0.2,) * 4, (1.0,) * 4, (0.0,) * 4),
    Landscape("dead ends", (0.3, 0.25, 0.25), (1.0, 0.35, 0.35), (0.0,) * 3),
    Landscape("deep", (0.3,) * 6, (1.0, *(0.7,) * 5), (0.0,) * 6),
    Landscape("slow", (0.07,) * 3, (1.0, 0.7, 0.7), (0.0,) * 3),
    Landscape("lottery", (0.3, 0.1), (1.0, 0.1), (0.03, 0.03)),
    Landscape("half-blind", (0.25,) * 4, (1.0, *(0.7,) * 3), (0.0,) * 4, tests=2),
    Landscape("blind", (0.25,) * 3, (1.0, 0.7, 0.7), (0.0,) * 3, tests=1),
)
"""In the blind ones tests show less than the levels, so that their optimum is out of reach."""


@dataclass(frozen=True, slots=True)
class Latent:
    """What a candidate really is; level -1: it does not build."""

    level: int
    is_promising: bool


@dataclass(slots=True)
class World:
    """One bug: generator, validator and evaluator at once."""

    landscape: Landscape
    seed: int
    latent: dict[str, Latent] = field(default_factory=dict)
    draws: Counter[str] = field(default_factory=Counter)
    asked: int = 0

    def __post_init__(self) -> None:
        self.latent[Patch().digest] = Latent(0, True)

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> list[Proposal]:
        """The next `n` refinements; see `Generator`."""
        digest = parent.patch.digest
        self.asked += n
        proposals = []
        for rank in range(n):
            draw = self.draws[digest]
            self.draws[digest] += 1
            idea = self._idea(digest, draw)
            patch = _patch(f"{digest[:16]} {_words(digest, idea)} {draw}")
            chance = random.Random(f"{self.seed}/{digest}/{idea}")
            self.latent[patch.digest] = refine(self.landscape, self.latent[digest], chance)
            proposals.append(Proposal(patch, 0.5 / (1 + rank / (n + 1)), "world"))
        return proposals

    def _idea(self, digest: str, draw: int) -> int:
        if self.landscape.approaches is None:
            return draw
        ideas = range(self.landscape.approaches)
        chance = random.Random(f"{self.seed}/{digest}/idea/{draw}")
        return chance.choices(ideas, [0.5**idea for idea in ideas])[0]

    def validate(self, patches: Sequence[Patch]) -> list[ValidationReport]:
        """See `PatchValidator.validate`."""
        return [report(self.landscape, self.latent[patch.digest].level) for patch in patches]

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """Nothing to learn."""

    def confirm(self, patch: Patch) -> ValidationReport:
        """See `PatchValidator.confirm`."""
        return self.validate([patch])[0]

    def reward(self, node: SearchNode, parent: SearchNode) -> float:
        """What the tests say, through noise, mixed with a judge's opinion; see `Evaluator`."""
        land = self.landscape
        opinion = _Opinion(self)
        value = MixedReward(TestReward(), opinion, land.judge_weight, land.judge_bounded).reward(
            node, parent
        )
        if not land.noise or not -0.95 < value < 1.0:
            return value
        chance = random.Random(f"{self.seed}/noise/{node.patch.digest}")
        return min(max(value + chance.gauss(0.0, land.noise), -0.9), 0.95)

    def opinion(self, patch: Patch) -> float:
        """The judge's, in [0, 1]: the true quality and chance, in fixed parts."""
        chance = random.Random(f"{self.seed}/judge/{patch.digest}")
        latent, correlation = self.latent[patch.digest], self.landscape.judge_correlation
        quality = (max(latent.level, 0) + latent.is_promising) / self.landscape.goal
        said = correlation * (quality - MEAN_QUALITY) / SD_QUALITY
        said += math.sqrt(1 - correlation**2) * chance.gauss(0.0, 1.0)
        return min(max(0.5 + said / 5, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class _Opinion:
    """The judge of a world, as an `Evaluator`."""

    world: World

    def reward(self, node: SearchNode, parent: SearchNode) -> float:
        return self.world.opinion(node.patch)


def _patch(text: str) -> Patch:
    return Patch((Hunk("m.py", 1, ("old\n",), (text + "\n",)),))


def _words(digest: str, idea: int) -> str:
    """The text of an idea: eight words that other ideas hardly share."""
    chance = random.Random(f"{digest}/{idea}")
    return " ".join(f"w{chance.randrange(100)}" for _ in range(8))


def refine(landscape: Landscape, parent: Latent, chance: random.Random) -> Latent:
    """What one refinement of `parent` is."""
    level = max(parent.level, 0)
    luck = chance.random()
    if parent.is_promising:
        if luck < landscape.leap[level]:
            return Latent(landscape.goal, False)
        luck -= landscape.leap[level]
        if luck < landscape.up[level]:
            if level + 1 == landscape.goal:
                return Latent(landscape.goal, False)
            return Latent(level + 1, chance.random() < landscape.promising[level + 1])
    fate = chance.random()
    if fate < landscape.broken:
        return Latent(-1, False)
    if fate < landscape.broken + landscape.fallen:
        return Latent(max(level - 1, 0), False)
    return parent


def report(landscape: Landscape, level: int) -> ValidationReport:
    """What validation says of a candidate of that level."""
    tests = landscape.tests or landscape.goal
    if level < 0:
        return ValidationReport(Verdict.DOES_NOT_BUILD, Stage.COMPILE, triggers_total=tests)
    if level == landscape.goal:
        return ValidationReport(
            Verdict.PLAUSIBLE, Stage.CONFIRM, triggers_passed=tests, triggers_total=tests
        )
    return ValidationReport(
        Verdict.STILL_FAILS,
        Stage.TRIGGER,
        triggers_passed=level * tests // landscape.goal,
        triggers_total=tests,
        progress=0.5,
    )


def run(world: World, settings: SearchSettings, candidates: int) -> tuple[int, int]:
    """The candidates to the first plausible patch, one more than the budget if there is none.

    The second number is that of the rounds of expansions.
    """
    meter = BudgetMeter(Budget(candidates=candidates), lambda: 0.0)
    rounds = 0

    def count(step: SearchStep) -> bool:
        nonlocal rounds
        rounds += bool(step.changed)
        return True

    result = search(CONTEXT, world, world, world, settings, meter, seed=world.seed, observer=count)
    return (result.plausible[0] if result.plausible else candidates + 1), rounds


# --- the best possible search


def optimum(landscape: Landscape, candidates: int, arms: int = 4, patience: int = 14) -> float:
    """The probability of reaching the goal within a budget under the best policy there is.

    The policy sees levels without noise and knows the laws, but not what is promising. A parent is
    promising for certain once it has a child one level up. So there are always a deepest certain
    candidate, which makes all above it needless, and *arms*: its children, of which only the
    number of failed refinements is known. The best policy refines the certain candidate, or the
    arm with the fewest failures. More than `arms` of them, and one of `patience` failures, are
    forgotten; raising either changes nothing in the sixth digit on the landscapes here.
    """

    @cache
    def value(level: int, failures: tuple[int, ...], left: int) -> float:
        if left == 0:
            return 0.0
        best = certain(level, failures, left)
        return max(best, uncertain(level, failures, left)) if failures else best

    def certain(level: int, failures: tuple[int, ...], left: int) -> float:
        leap, up = landscape.leap[level], landscape.up[level]
        if level + 1 == landscape.goal:
            return leap + up + (1 - leap - up) * value(level, failures, left - 1)
        more = tuple(sorted((0, *failures))[:arms])
        raised = value(level, more, left - 1)
        return leap + up * raised + (1 - leap - up) * value(level, failures, left - 1)

    def uncertain(level: int, failures: tuple[int, ...], left: int) -> float:
        fewest, *others = failures
        next_level = level + 1
        leap, up = landscape.leap[next_level], landscape.up[next_level]
        belief = posterior(landscape.promising[next_level], leap + up, fewest)
        failed = fewest + 1
        rest = tuple(sorted((*others, failed))) if failed < patience else tuple(others)
        won = value(next_level, (0,), left - 1) if next_level + 1 < landscape.goal else 1.0
        lost = value(level, rest, left - 1)
        return belief * (leap + up * won) + (1 - belief * (leap + up)) * lost

    return value(0, (), candidates)


def posterior(prior: float, success: float, failures: int) -> float:
    """The probability that a candidate is promising after so many refinements without success."""
    alive = prior * (1 - success) ** failures
    return alive / (alive + 1 - prior)


def clairvoyant(landscape: Landscape, candidates: int) -> float:
    """The same for a policy that sees what is promising: no search can do better."""

    @cache
    def value(level: int, left: int) -> float:
        if level == landscape.goal:
            return 1.0
        if left == 0:
            return 0.0
        leap, up = landscape.leap[level], landscape.up[level]
        raised = level + 1 == landscape.goal or landscape.promising[level + 1]
        return (
            leap
            + up * raised * value(level + 1, left - 1)
            + (1 - leap - up * raised) * value(level, left - 1)
        )

    return value(0, candidates)
