"""Every choice the search leaves open, and the published configurations of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """Whether rewards steer the search at all."""

    MCTS = "mcts"
    ENUMERATE = "enumerate"  # the generator's ranking alone: the control of every comparison
    BREADTH_FIRST = "breadth-first"  # every node once, the oldest first
    TRIAL_AND_ERROR = "trial-and-error"  # always on from the newest patch, as ChatRepair does


class Widening(StrEnum):
    """When a node gets more children instead of its children getting some."""

    RANKED = "ranked"  # for long ranked lists of proposals; see apr.search.frontier
    PROGRESSIVE = "progressive"  # while it has fewer than k * visits ** alpha children
    ONCE = "once"  # one expansion makes a node fully expanded, as in APRMCTS
    GREEDY = "greedy"  # always on from what helped last, as in MultiMend; see apr.search.greedy
    ADAPTIVE = "adaptive"  # by expected cost, which UCT's mean cannot see; see apr.search.adaptive


class Formula(StrEnum):
    """The score by which children compete."""

    UCT = "uct"
    PUCT = "puct"


class Backpropagation(StrEnum):
    """How a reward reaches the ancestors."""

    MEAN = "mean"
    APRMCTS = "aprmcts"


_COUNTS = (
    *("batch", "branch", "patience", "parallel", "max_depth", "max_children"),
    *("plausible_wanted", "agreement"),
)
_PROBABILITIES = ("promise", "inherited_promise", "root_promise", "improvement_rate")


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The search's settings; the defaults suit a generator with a long ranked list."""

    policy: Policy = Policy.MCTS
    widening: Widening = Widening.RANKED
    formula: Formula = Formula.UCT
    exploration: float = 0.7
    """The constant C of UCT and PUCT, for rewards in [-1, 1]."""
    unvisited_bonus: float = math.inf
    """Added to the value of a child without visits (UCT only)."""
    batch: int = 8
    """Proposals validated side by side per expansion: APRMCTS's `max_expansion`."""
    branch: int | None = None
    """Proposals asked for per expansion, of which `batch` are validated and the rest kept for the
    node's next expansion; None: no more than `batch`."""
    diverse: bool = True
    """Whether those validated of a larger `branch` are the most different ones by edit distance,
    instead of the first ones."""
    refinement_share: float = 0.3
    """RANKED: the fraction in [0, 1) of a node's candidates that refine its better children."""
    spent_refinement_share: float = 0.5
    """RANKED: that fraction, in [0, 1], once the node's own list is spent."""
    widening_k: float = 2.0
    widening_alpha: float = 0.5
    """PROGRESSIVE: the constants k and alpha of the number of children allowed."""
    backpropagation: Backpropagation = Backpropagation.MEAN
    backpropagation_alpha: float = 0.8
    """APRMCTS: the weight of the children's mean in a node's new value."""
    promise: float = 0.75
    """ADAPTIVE: the probability in (0, 1) that a patch better than its parent can be improved."""
    inherited_promise: float = 0.7
    """ADAPTIVE: for one that is no better, the fraction of its parent's probability."""
    root_promise: float = 0.8
    """ADAPTIVE: that probability of the program as it is."""
    improvement_rate: float = 0.25
    """ADAPTIVE: the fraction of a promising patch's refinements that improve it, at the start."""
    improvement_weight: float = 4.0
    """ADAPTIVE: as many refinements as have to be seen to count as much as that start."""
    improvement_step: float = 0.2
    """ADAPTIVE: the reward that an improvement gains, before any are seen."""
    improvement_margin: float = 0.0
    """ADAPTIVE: only a child better than its parent by more than this improves on it."""
    max_depth: int | None = 3
    """The most refinements in a row, a single edit being 1; None: no limit."""
    max_children: int | None = None
    """The most children of a node; None: no limit."""
    plausible_wanted: int | None = 1
    """Stop after the batch with that many plausible patches in the tree; None: never for that."""
    agreement: int | None = None
    """Stop when one plausible program was proposed at so many more nodes than any other plausible
    one; None: never for that."""
    parallel: int = 1
    """Nodes expanded side by side in one round; the tree does not depend on which ends first."""
    round_share: float = 1 / 12
    """The fraction in (0, 1] of the candidates left that one round may take, at least one
    expansion; less loses less by expanding side by side, and takes longer."""
    virtual_loss: float | None = None
    """What an expansion under way counts against its node and the node's ancestors, one visit
    long, so that the other expansions of its round go elsewhere. None: the visit alone counts, at
    the node's own mean, as in WU-UCT (arXiv:1810.11755)."""
    patience: int = 50
    """A node counts as exhausted after so many answers in a row without an unseen patch."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in _PROBABILITIES:
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} {getattr(self, name)} is not in (0, 1)")
        if not 0.0 < self.round_share <= 1.0:
            raise ValueError(f"round_share {self.round_share} is not in (0, 1]")
        if not 0.0 <= self.refinement_share < 1.0:
            raise ValueError(f"refinement_share {self.refinement_share} is not in [0, 1)")
        if not 0.0 <= self.spent_refinement_share <= 1.0:
            raise ValueError(f"spent_refinement_share {self.spent_refinement_share} not in [0, 1]")
        if not 0.0 <= self.backpropagation_alpha <= 1.0:
            raise ValueError(f"backpropagation_alpha {self.backpropagation_alpha} not in [0, 1]")

    @property
    def stop_at_first_plausible(self) -> bool:
        """One plausible patch is enough."""
        return self.plausible_wanted == 1


RANKED = SearchSettings()
"""For a generator with a ranked list of hundreds of proposals, such as the templates."""

ADAPTIVE = SearchSettings(widening=Widening.ADAPTIVE, batch=3, max_depth=None, patience=5)
"""For a generator that samples, such as a language model."""

APRMCTS = SearchSettings(
    widening=Widening.ONCE,
    exploration=0.7,
    unvisited_bonus=1.0,
    batch=3,
    branch=10,
    diverse=False,
    backpropagation=Backpropagation.APRMCTS,
    backpropagation_alpha=0.8,
    max_depth=None,
    patience=1,
)
"""The released configuration of APRMCTS; its 16 rounds are a budget of 48 candidates."""

MULTIMEND = SearchSettings(widening=Widening.GREEDY, batch=1, max_depth=None)
"""For patches that are put together hunk by hunk; see apr.generation.assembly."""
