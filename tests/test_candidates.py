"""Plausible patches of one run, sorted by what they do in a real sandbox."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from apr.candidates import sort_by_behaviour
from apr.cli.summary import _behaviour_rows
from apr.core.behaviour import Behaviour, Choice, Cluster, name_patches
from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.patch import Patch, diff_texts
from apr.core.run import RankedPatch, Usage
from apr.core.tree import SearchNode, SearchTree
from apr.repair import Repair
from apr.search.loop import StopReason
from apr.settings import RunSettings
from apr.storage.behaviour import decode_behaviour, encode_behaviour
from apr.subject import PreparedSubject, prepare_subject
from support.e2e import BUGS

SUBJECT = BUGS / "off_by_one" / "subject"
FAULT = "len(values) - size)"
FIXES = ("len(values) - size + 1)", "1 - size + len(values))", "max(len(values), 3) - size + 1)")
SETTINGS = RunSettings(compare_seconds=5.0, patches=3)


@pytest.fixture(scope="module")
def subject() -> Iterator[PreparedSubject]:
    bug = Bug(str(SUBJECT), TestCommand(RunnerKind.PYTEST, (), sys.executable))
    with prepare_subject(bug, SETTINGS) as prepared:
        yield prepared


def repaired(subject: PreparedSubject, *fixes: str) -> Repair:
    """A search that has found these patches."""
    source = subject.sources["moving.py"]
    assert source.count(FAULT) == 1
    tree = SearchTree()
    tree.add(SearchNode(0, None, Patch()))
    for number, fix in enumerate(fixes, 1):
        patch = diff_texts({"moving.py": source}, {"moving.py": source.replace(FAULT, fix)})
        tree.add(SearchNode(number, 0, patch))
    ranked = tuple(RankedPatch(n, n, "", "test") for n in range(1, len(fixes) + 1))
    return Repair(ranked, StopReason.PLAUSIBLE, tree, Usage())


def sort(subject: PreparedSubject, *fixes: str, settings: RunSettings = SETTINGS):
    told: list[tuple[str, Mapping[str, Any]]] = []
    found = sort_by_behaviour(
        repaired(subject, *fixes),
        subject,
        settings,
        0,
        lambda kind, data: told.append((kind, data)),
    )
    return found, told


def test_patches_that_do_the_same_are_one_cluster_and_the_largest_leads(subject):
    found, told = sort(subject, *FIXES)
    assert [cluster.patches for cluster in found.clusters] == [(1, 2), (3,)]
    assert found.clusters[0].agreement > found.clusters[1].agreement
    choice = found.choices[0]
    assert [patches for patches, _ in choice.answers] == [(1, 2), (3,)]
    assert "patches 1 and 2: returns" in choice.question
    assert "def test_" in choice.test
    assert "discrepancy" in {kind for kind, _ in told}
    assert decode_behaviour(encode_behaviour(found)) == found


@pytest.mark.parametrize(
    ("fixes", "settings"),
    [(FIXES[:1], SETTINGS), (FIXES, RunSettings(compare_seconds=0.0))],
    ids=("one patch", "not asked for"),
)
def test_nothing_is_compared_where_nothing_is_to_be_compared(subject, fixes, settings):
    assert sort(subject, *fixes, settings=settings) == (None, [])


def test_what_cannot_be_compared_is_a_warning_and_no_failure():
    command = TestCommand(RunnerKind.COMMAND, ("true",))
    with prepare_subject(Bug(str(SUBJECT), command), SETTINGS) as subject:
        found, told = sort(subject, *FIXES)
    assert found is None
    assert told[-1][0] == "warning"
    assert "could not be compared" in told[-1][1]["message"]


def test_the_summary_tells_clusters_and_questions():
    choice = Choice("f(-1)", (((1, 3), "returns 0"), ((2,), "raises ValueError")))
    clusters = (Cluster((1, 3), 0.75), Cluster((2,), 0.25))
    rows = list(_behaviour_rows(Behaviour(clusters, (choice,), 90, 1, "")))
    assert rows == [
        ("behave", "patches 1 and 3 (75 % agree)"),
        ("", "patch 2 (25 % agree)"),
        ("choose", "1. for f(-1): patches 1 and 3: returns 0; patch 2: raises ValueError. Which?"),
        ("", "1 more patch not compared"),
    ]


def test_patches_are_named_as_one_would():
    assert name_patches((4,)) == "patch 4"
    assert name_patches((1, 2, 4)) == "patches 1, 2 and 4"
