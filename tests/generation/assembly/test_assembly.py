"""Bugs in several hunks, with the real templates and a referee that knows the right lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch
from apr.core.ports import Proposal, RepairContext
from apr.core.report import Stage, ValidationReport, Verdict
from apr.core.run import Budget
from apr.core.tree import ROOT, SearchNode
from apr.generation.assembly.generator import AssemblingGenerator, AssemblySettings, Order
from apr.generation.template.generator import TemplateGenerator
from apr.generation.template.python.language import PythonLanguage
from apr.generation.template.treesitter import LANGUAGES
from apr.search.budget import BudgetMeter
from apr.search.loop import SearchResult, StopReason, search
from apr.search.reward import TestReward
from apr.search.settings import MULTIMEND

PYTHON = """def span(items):
    low = items[1]
    high = max(items)
    return high + low


def mean(items):
    total = sum(items)
    return total // len(items)
"""
PYTHON_FIX = {
    2: "    low = items[0]",
    4: "    return high - low",
    9: "    return total / len(items)",
}
C = """int one(int a, int b) {
    return a <= b;
}
int two(int a, int b) {
    int c = a + b;
    return a <= b;
}
"""
C_FIX = {2: "    return a < b;", 6: "    return a < b;"}
JAVA = """class A {
    int f(int a) {
        if (a > 0)
            return a + 1;
        return 0;
    }
    int g(int b) {
        return b + 1;
    }
}
"""
JAVA_FIX = {3: "        if (a >= 0)", 8: "        return b - 1;"}
JAVASCRIPT = """function f(a, b) {
  return a && b;
}
function g(a) {
  return a + 1;
}
"""
JAVASCRIPT_FIX = {2: "  return a || b;", 5: "  return a - 1;"}


@dataclass
class LineReferee:
    """A test for each line that must be right; with `joint` one test for all of them."""

    path: str
    text: str
    right: Mapping[int, str]
    joint: bool = False
    judged: list[Patch] = field(default_factory=list)

    def validate(self, patches: Sequence[Patch]) -> Sequence[ValidationReport]:
        self.judged += patches
        return [self.confirm(patch) for patch in patches]

    def learn(self, reports: Sequence[ValidationReport]) -> None: ...

    def confirm(self, patch: Patch) -> ValidationReport:
        lines = patch.apply({self.path: self.text}).get(self.path, self.text)
        assert lines is not None
        found = lines.split("\n")
        is_aligned = len(found) == len(self.text.split("\n"))
        passed = sum(is_aligned and found[n - 1] == line for n, line in self.right.items())
        total = len(self.right)
        if self.joint:
            passed, total = int(passed == total), 1
        verdict = Verdict.PLAUSIBLE if passed == total else Verdict.STILL_FAILS
        return ValidationReport(verdict, Stage.TRIGGER, passed, total, progress=0.5)


def context(path: str, text: str, lines: Sequence[int]) -> RepairContext:
    locations = [SuspiciousLocation(Location(path, n, n), 1.0, "given") for n in lines]
    bug = Bug("/nowhere", TestCommand(RunnerKind.PYTEST))
    return RepairContext(bug, {path: text}, tuple(locations), (), {})


def templates() -> TemplateGenerator:
    return TemplateGenerator((PythonLanguage(), *LANGUAGES))


def repair(
    referee: LineReferee, settings: AssemblySettings | None = None, candidates: int = 3000
) -> tuple[SearchResult, AssemblingGenerator]:
    generator = AssemblingGenerator(templates(), settings)
    result = search(
        context(referee.path, referee.text, list(referee.right)),
        generator,
        referee,
        TestReward(),
        MULTIMEND,
        BudgetMeter(Budget(candidates=candidates), lambda: 0.0),
        seed=0,
    )
    return result, generator


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    ("path", "text", "right"),
    [
        ("m.py", PYTHON, PYTHON_FIX),
        ("m.c", C, C_FIX),
        ("A.java", JAVA, JAVA_FIX),
        ("m.js", JAVASCRIPT, JAVASCRIPT_FIX),
    ],
)
def test_hunks_that_help_by_themselves_cost_a_sum(
    path: str, text: str, right: Mapping[int, str], order: Order
) -> None:
    referee = LineReferee(path, text, right)
    result, generator = repair(referee, AssemblySettings(order))
    assert result.stopped is StopReason.PLAUSIBLE
    patched = result.tree.nodes[result.plausible[0]].patch.apply({path: text})[path]
    assert patched is not None
    assert {n: patched.split("\n")[n - 1] for n in right} == dict(right)
    assembled = generator.assembled
    assert assembled is not None
    assert len(referee.judged) <= sum(assembled.candidates)
    assert len(referee.judged) * 10 < assembled.combinations


@pytest.mark.parametrize("order", Order)
def test_the_same_edit_in_all_hunks_is_tried_first(order: Order) -> None:
    referee = LineReferee("m.c", C, C_FIX, joint=True)
    result, _ = repair(referee, AssemblySettings(order))
    assert result.stopped is StopReason.PLAUSIBLE
    assert result.tree.nodes[result.plausible[0]].depth == 1
    assert len(referee.judged) < 40


def test_edits_that_show_nothing_alone_are_found_together_at_last() -> None:
    referee = LineReferee("A.java", JAVA, JAVA_FIX, joint=True)
    result, generator = repair(referee, AssemblySettings(candidates=40))
    assert result.stopped is StopReason.PLAUSIBLE
    assert result.tree.nodes[result.plausible[0]].depth == 2
    assert generator.assembled is not None
    assert len(referee.judged) <= generator.assembled.combinations


def test_nothing_is_judged_twice_and_the_end_is_reached() -> None:
    referee = LineReferee("m.js", JAVASCRIPT, {2: "no template writes this", 5: "nor this"})
    result, generator = repair(referee, AssemblySettings(candidates=12))
    assert result.stopped is StopReason.EXHAUSTED
    digests = [patch.digest for patch in referee.judged]
    assert len(set(digests)) == len(digests)
    assert generator.assembled is not None
    assert generator.assembled.candidates == (12, 12)
    assert len(digests) == generator.assembled.combinations == 13 * 13 - 1


def test_a_single_hunk_is_left_to_the_generator() -> None:
    of = context("m.py", PYTHON, [4])
    root = SearchNode(ROOT, None, Patch())
    generator = AssemblingGenerator(templates())
    assert list(generator.propose(of, root, 20)) == list(templates().propose(of, root, 20))
    assert generator.assembled is None


class Batches:
    """A model that answers for several hunks at once, at first in vain."""

    is_sampling = True

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        raise AssertionError("asked about one hunk alone")

    def propose_many(
        self, context: RepairContext, wants: Sequence[tuple[SearchNode, int]]
    ) -> Sequence[Sequence[Proposal]]:
        self.asked.append([str(context.locations_of(node)[0].location) for node, _ in wants])
        if len(self.asked) == 1:
            return [[] for _ in wants]
        inner = templates()
        return [inner.propose(context, node, n) for node, n in wants]


def test_all_hunks_are_asked_about_at_once() -> None:
    of = context("A.java", JAVA, [3, 8])
    model = Batches()
    generator = AssemblingGenerator(model, AssemblySettings(candidates=8))
    assert generator.propose(of, SearchNode(ROOT, None, Patch()), 4)
    assert model.asked == [["A.java:3", "A.java:8"]] * 2
