"""A model's answers as patches: replacements, insertions and deletions of suspicious lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from apr.core.patch import Patch
from apr.core.ports import ConcurrentGenerator, Proposal, RepairContext
from apr.core.tree import ROOT, SearchNode
from apr.generation.seq2seq.bundle import Facts
from apr.generation.seq2seq.generator import Seq2SeqGenerator, Seq2SeqSettings
from apr.generation.seq2seq.model import Guess, load
from apr.generation.seq2seq.sites import INSERTION

from .conftest import BUGGY, FIXED, INSERTED, make_context

LINES = BUGGY.splitlines(keepends=True)


def root() -> SearchNode:
    return SearchNode(ROOT, None, Patch())


def everything(
    generator: Seq2SeqGenerator, context: RepairContext, parent: SearchNode
) -> Iterator[Proposal]:
    while found := generator.propose(context, parent, 7):
        yield from found


def texts(context: RepairContext, proposals: Sequence[Proposal]) -> list[str]:
    return [proposal.patch.apply_edits(context.sources)["m.py"] for proposal in proposals]


def test_what_a_model_has_learnt_comes_first(bundle: Path) -> None:
    context = make_context()
    generator = Seq2SeqGenerator(load(bundle, threads=1), Seq2SeqSettings(beams=8, samples=8))
    assert isinstance(generator, ConcurrentGenerator)
    proposals = list(everything(generator, context, root()))
    found = texts(context, proposals)
    assert found[0] == LINES[0] + FIXED + LINES[2]
    assert found[1] == LINES[0] + INSERTED + LINES[1] + LINES[2]
    assert proposals[0].score > 0.5
    assert INSERTION * 0.5 < proposals[1].score < INSERTION
    assert proposals[0].origin == "tiny"
    assert len(set(found)) == len(found)
    assert BUGGY not in found


@dataclass
class Answers:
    """A model that gives each kind of place the same answers, by the lines in the hunk."""

    answers: dict[str, list[str]]
    facts: Facts = field(default_factory=lambda: Facts("fixed", "1"))
    asked: list[list[str]] = field(default_factory=list)

    def count_tokens(self, text: str) -> int:
        return len(text) // 3

    def search(self, sources: Sequence[str], beams: int) -> list[list[Guess]]:
        self.asked.append(list(sources))
        return [self._for(source)[:beams] for source in sources]

    def sample(self, sources: Sequence[str], n: int, seed: int) -> list[list[Guess]]:
        return [[] for _ in sources]

    def _for(self, source: str) -> list[Guess]:
        hunk = source.partition("<buggy>")[2].partition("<after>")[0].strip()
        return [Guess(text, -0.1 - n) for n, text in enumerate(self.answers.get(hunk, []))]


def propose(model: Answers, text: str, *lines: int, patch: Patch | None = None) -> list[str]:
    context = make_context(text, lines or (2,))
    generator = Seq2SeqGenerator(model)
    parent = SearchNode(1, ROOT, patch or Patch())
    return texts(context, list(everything(generator, context, parent)))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_are_kept(ending: str) -> None:
    text = BUGGY.replace("\n", ending)
    model = Answers({"result = sum(items) - 1": ["    a = 1\n    b = 2\n", ""]})
    assert propose(model, text) == [
        f"def total(items):{ending}    a = 1{ending}    b = 2{ending}    return result{ending}",
        f"def total(items):{ending}    return result{ending}",
    ]


def test_a_file_without_a_last_line_end_keeps_lacking_it() -> None:
    model = Answers({"return result": ["    return 1\n"], "": ["    x = 1\n"]})
    found = propose(model, BUGGY.removesuffix("\n"), 3)
    assert found[0] == LINES[0] + LINES[1] + "    return 1"
    assert LINES[0] + LINES[1] + LINES[2] + "    x = 1" in found


def test_what_does_not_parse_is_not_proposed_unless_nothing_did() -> None:
    model = Answers({"result = sum(items) - 1": ["    result = (\n", "    result = 0\n"]})
    assert propose(model, BUGGY) == [LINES[0] + "    result = 0\n" + LINES[2]]
    assert len(propose(model, BUGGY + "is this a program?\n")) == 2


def test_answers_with_special_tokens_are_left_out() -> None:
    assert propose(Answers({"result = sum(items) - 1": ["<after>x\n", "<s>"]}), BUGGY) == []


def test_a_second_edit_stands_on_the_first() -> None:
    context = make_context()
    first = propose(Answers({"": ["    items = list(items)\n"]}), BUGGY)[0]
    assert first.splitlines()[1] == "    items = list(items)"
    generator = Seq2SeqGenerator(Answers({"": ["    items = list(items)\n"]}))
    patch = generator.propose(context, root(), 1)[0].patch
    model = Answers({"result = sum(items) - 1": [FIXED]})
    assert propose(model, BUGGY, patch=patch) == [LINES[0] + INSERTED + FIXED + LINES[2]]


def test_less_suspicious_places_wait_until_they_are_worth_it() -> None:
    text = "def f(x):\n" + "".join(f"    x{n} = {n}\n" for n in range(60)) + "    return x\n"
    model = Answers({f"x{n} = {n}": [f"    x{n} = {n + 1}\n"] for n in range(60)})
    context = make_context(text, tuple(range(2, 62, 2)))
    generator = Seq2SeqGenerator(model)
    assert len(generator.propose(context, root(), 3)) == 3
    assert len(model.asked) < 5
    assert len(list(everything(generator, context, root()))) == 27
    assert all(len(batch) <= Seq2SeqSettings().batch for batch in model.asked)


def test_lines_from_elsewhere_are_shown() -> None:
    context = make_context(BUGGY + "\n\ndef other(items):\n    return sum(items) / 2\n")
    for retrieval in (True, False):
        model = Answers({})
        generator = Seq2SeqGenerator(model, Seq2SeqSettings(retrieval=retrieval))
        assert generator.propose(context, root(), 1) == []
        shown = model.asked[0][0].partition("<before>")[0]
        assert ("return sum(items) / 2" in shown) is retrieval
