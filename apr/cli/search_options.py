"""The options that shape the search tree; the names are those of APRMCTS where it has one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from apr.core.errors import BadInputError

TREE = "Search tree"
MIXED = 0.5
"""The judge's weight in a mix: APRMCTS's own, and a good one within a trigger test."""


class Preset(StrEnum):
    """The shape of the search tree."""

    RANKED = "ranked"
    ADAPTIVE = "adaptive"
    APRMCTS = "aprmcts"
    MULTIMEND = "multimend"


class Widening(StrEnum):
    """When a node gets more children."""

    RANKED = "ranked"
    PROGRESSIVE = "progressive"
    ONCE = "once"
    GREEDY = "greedy"
    ADAPTIVE = "adaptive"


class Score(StrEnum):
    """The score by which children compete."""

    UCT = "uct"
    PUCT = "puct"


class Backup(StrEnum):
    """How a reward reaches the ancestors."""

    MEAN = "mean"
    APRMCTS = "aprmcts"


class RewardMode(StrEnum):
    """Who says what a patch is worth."""

    TESTS = "tests"
    JUDGE = "judge"
    MIXED = "mixed"  # tests first, the judge among patches that they cannot tell apart
    AVERAGE = "average"  # the weighted mean of APRMCTS


def _option(name: str, meaning: str, **more: Any) -> Any:
    return typer.Option(name, rich_help_panel=TREE, help=meaning, **more)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What a command line says about the tree; None means as the preset has it."""

    preset: Annotated[
        Preset | None,
        _option(
            "--search",
            "The tree's shape; multimend mends bugs in several hunks, hunk by hunk."
            " Default: adaptive for a model, else ranked.",
        ),
    ] = None
    parallel: Annotated[
        int, _option("--parallel", "Nodes expanded side by side.", metavar="N", min=1)
    ] = 1
    batch: Annotated[
        int | None,
        _option(
            "--batch", "Candidates per expansion (APRMCTS: max_expansion).", metavar="N", min=1
        ),
    ] = None
    branch: Annotated[
        int | None,
        _option(
            "--branch",
            "Patches asked for per expansion; the most different ones are tested.",
            metavar="N",
            min=1,
        ),
    ] = None
    diverse: Annotated[
        bool | None,
        _option("--diverse/--first", "Which patches of a larger --branch are tested."),
    ] = None
    widening: Annotated[
        Widening | None, _option("--widening", "When a node gets more children.")
    ] = None
    max_children: Annotated[
        int | None, _option("--max-children", "The most children of a node.", metavar="N", min=1)
    ] = None
    score: Annotated[Score | None, _option("--score", "The score by which children compete.")] = (
        None
    )
    exploration: Annotated[
        float | None,
        _option("--exploration", "The constant C of UCT and PUCT: 0.7.", metavar="C", min=0.0),
    ] = None
    unvisited_bonus: Annotated[
        float | None,
        _option(
            "--unvisited-bonus",
            "UCT: what a child without visits scores above its value (APRMCTS: 1).",
            metavar="V",
            min=0.0,
        ),
    ] = None
    backup: Annotated[Backup | None, _option("--backup", "How a reward reaches the ancestors.")] = (
        None
    )
    alpha: Annotated[
        float | None,
        _option("--alpha", "--backup aprmcts: weight of the children: 0.8.", min=0.0, max=1.0),
    ] = None
    widening_k: Annotated[
        float | None,
        _option(
            "--widening-k", "--widening progressive: k visits^a children: 2.", metavar="K", min=0.01
        ),
    ] = None
    widening_alpha: Annotated[
        float | None, _option("--widening-alpha", "And a: 0.5.", metavar="A", min=0.0, max=1.0)
    ] = None
    agreement: Annotated[
        int | None,
        _option(
            "--agreement",
            "Stop when one plausible patch was proposed at N more nodes than any other.",
            metavar="N",
            min=1,
        ),
    ] = None
    round_share: Annotated[
        float | None,
        _option(
            "--round-share",
            "The part of the candidates left that --parallel may take at once.",
            metavar="F",
            min=0.001,
            max=1.0,
        ),
    ] = None
    virtual_loss: Annotated[
        float | None,
        _option(
            "--virtual-loss",
            "What an expansion under way counts against a node. Default: a visit alone.",
            metavar="V",
            min=0.0,
        ),
    ] = None

    def tree(self) -> dict[str, Any]:
        """What differs from the preset, as `TreeSettings` has it."""
        return {
            "widening": self.widening,
            "formula": self.score,
            "exploration": self.exploration,
            "unvisited_bonus": self.unvisited_bonus,
            "branch": self.branch,
            "diverse": self.diverse,
            "backpropagation": self.backup,
            "backpropagation_alpha": self.alpha,
            "widening_k": self.widening_k,
            "widening_alpha": self.widening_alpha,
            "max_children": self.max_children,
            "agreement": self.agreement,
            "round_share": self.round_share,
            "virtual_loss": self.virtual_loss,
        }


def judge_weight(mode: RewardMode | None, weight: float | None) -> float:
    """The weight of the model's own judgement; without a word about it, none.

    Raises:
        BadInputError: when the mode leaves no room for the weight.
    """
    fixed = {RewardMode.TESTS: 0.0, RewardMode.JUDGE: 1.0}.get(mode) if mode else None
    if fixed is not None:
        if weight is not None and weight != fixed:
            raise BadInputError(f"--reward {mode} leaves no room for --judge {weight:g}")
        return fixed
    if weight is not None:
        return weight
    return 0.0 if mode is None else MIXED
