"""A model that is asked for the lines of one hunk alone."""

from __future__ import annotations

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch
from apr.core.ports import RepairContext
from apr.core.tree import ROOT, SearchNode
from apr.generation.assembly.generator import AssemblingGenerator, AssemblySettings
from apr.generation.prompt.generator import PromptGenerator
from apr.generation.prompt.settings import AnswerFormat, PromptSettings

from .test_generator import model, said

SOURCE = """class A:
    def double(self, x):
        if x:
            return x + x + 1
        return 0

    def half(self, x):
        return x // 3
"""
SETTINGS = PromptSettings(answer_format=AnswerFormat.HUNK, reasoning=False)


def context(*lines: int, text: str = SOURCE) -> RepairContext:
    bug = Bug("/subject", TestCommand(RunnerKind.PYTEST))
    places = (SuspiciousLocation(Location("a.py", n, n), 1.0, "given") for n in lines)
    return RepairContext(bug, {"a.py": text}, tuple(places), (), {})


def root() -> SearchNode:
    return SearchNode(ROOT, None, Patch())


def lines_after(answer: str, *lines: int, text: str = SOURCE) -> list[str]:
    """The program, in lines, after the only patch that comes of an answer."""
    of = context(*lines, text=text)
    with model(answer) as (client, _):
        (proposal,) = PromptGenerator(client, SETTINGS).propose(of, root(), 1)
    return proposal.patch.apply_edits(of.sources)["a.py"].split("\n")


def test_the_hunk_is_marked_and_its_lines_are_asked_for() -> None:
    with model("```\nreturn x + x\n```") as (client, server):
        PromptGenerator(client, SETTINGS).propose(context(4), root(), 1)
    text = said(server)
    assert (
        "    if x:\n# the faulty lines begin here\n        return x + x + 1\n"
        "# the faulty lines end here\n    return 0\n"
    ) in text
    assert "between the two marks" in text


@pytest.mark.parametrize(
    "answer",
    [
        "```python\nreturn x + x\n```",
        "It adds one too many.\n\n```\n            return x + x\n```\n",
        "```\n# the faulty lines begin here\nreturn x + x\n# the faulty lines end here\n```",
        "```\ndef double(self, x):\n    if x:\n        return x + x\n    return 0\n```",
        "a.py\n<<<<<<< SEARCH\n            return x + x + 1\n=======\n"
        "            return x + x\n>>>>>>> REPLACE",
    ],
)
def test_the_lines_go_where_the_hunk_was_however_much_is_answered(answer: str) -> None:
    expected = SOURCE.replace("x + x + 1", "x + x").split("\n")
    assert lines_after(answer, 4) == expected


def test_an_empty_block_deletes_the_hunk_and_line_ends_are_kept() -> None:
    text = SOURCE.replace("\n", "\r\n")
    left = [line for n, line in enumerate(text.split("\n"), 1) if n != 5]
    assert lines_after("```\n```", 5, text=text) == left


def test_calls_go_round_the_suspects_of_a_function() -> None:
    with model("```\nreturn 1\n```") as (client, server):
        generator, of = PromptGenerator(client, SETTINGS), context(4, 5)
        for _ in range(2):
            generator.propose(of, root(), 1)
    marked = [said(server, n).split("begin here\n")[1].split("\n")[0].strip() for n in (0, 1)]
    assert marked == ["return x + x + 1", "return 0"]


def test_hunks_of_several_functions_are_put_together() -> None:
    of = context(4, 8)
    with model("```\nreturn x + x\n```", "```\nreturn x // 2\n```") as (client, _):
        generator = AssemblingGenerator(
            PromptGenerator(client, SETTINGS), AssemblySettings(candidates=1, chunk=1)
        )
        first, second = generator.propose(of, root(), 9)
        node = SearchNode(1, ROOT, first.patch, 1)
        (both,) = generator.propose(of, node, 9)
    assert {hunk.first for hunk in (*first.patch.hunks, *second.patch.hunks)} == {4, 8}
    assert [hunk.first for hunk in both.patch.hunks] == [4, 8]
