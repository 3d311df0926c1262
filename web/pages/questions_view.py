"""How the plausible patches of a run behave differently, and what a developer may decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from apr.core.behaviour import Behaviour, Choice, Cluster, name_patches
from apr.core.run import RankedPatch
from web.pages import words
from web.pages.diff_view import FileDiff, diff_view
from web.pages.highlight import highlight_lines


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What some patches do with an input; with a test it can be chosen, `rank` standing for all.

    `is_unpatched`: the program without a patch does the same.
    """

    patches: str
    rank: int
    outcome: str
    test: Markup
    is_unpatched: bool


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One input and the answers, `number` from 1."""

    number: int
    call: str
    answers: tuple[AnswerView, ...]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """Patches that no input has told apart, and the change that the first of them makes."""

    name: str
    share: str
    ranks: tuple[int, ...]
    files: tuple[FileDiff, ...]


@dataclass(frozen=True, slots=True)
class QuestionsView:
    """All of it, and why no more was asked."""

    clusters: tuple[ClusterView, ...]
    questions: tuple[QuestionView, ...]
    tried: str
    reason: str
    left_out: int


def questions_view(behaviour: Behaviour, patches: Sequence[RankedPatch]) -> QuestionsView:
    """The clusters side by side, and each question with its answers side by side."""
    diffs = {patch.rank: patch.diff for patch in patches}
    return QuestionsView(
        tuple(_cluster(cluster, diffs) for cluster in behaviour.clusters),
        tuple(_question(n, choice) for n, choice in enumerate(behaviour.choices, 1)),
        words.count(behaviour.executions, "input"),
        behaviour.reason,
        behaviour.left_out,
    )


def _cluster(cluster: Cluster, diffs: Mapping[int, str]) -> ClusterView:
    first = next((rank for rank in cluster.patches if rank in diffs), None)
    return ClusterView(
        name_patches(cluster.patches),
        f"{100 * cluster.agreement:.0f} %",
        cluster.patches,
        () if first is None else diff_view(diffs[first]),
    )


def _question(number: int, choice: Choice) -> QuestionView:
    return QuestionView(
        number,
        choice.call,
        tuple(
            AnswerView(
                name_patches(ranks),
                ranks[0],
                what,
                Markup("\n").join(highlight_lines("test.py", test.splitlines())),
                choice.unpatched == index,
            )
            for index, ((ranks, what), test) in enumerate(choice.outcomes)
        ),
    )
