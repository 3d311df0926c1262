"""The generator: ranking, laziness, deduplication, compositions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch, diff_texts
from apr.core.ports import Proposal, RepairContext
from apr.core.tree import SearchNode
from apr.generation.template.edits import Edit, Ingredients
from apr.generation.template.generator import TemplateGenerator, TemplateSettings
from apr.generation.template.python.language import PythonLanguage

BUGGY = """def largest(numbers, limit):
    best = 1
    for number in numbers:
        if number < best and number < limit:
            best = number
    return best


def unrelated(a, b):
    return a + b
"""


def context(sources: Mapping[str, str], lines: Mapping[int, float]) -> RepairContext:
    path = next(iter(sources))
    locations = tuple(
        SuspiciousLocation(Location(path, line, line), score, "given")
        for line, score in lines.items()
    )
    bug = Bug("/subject", TestCommand(RunnerKind.PYTEST))
    return RepairContext(bug, sources, locations, (), {})


def root() -> SearchNode:
    return SearchNode(0, None, Patch())


def node(proposal: Proposal) -> SearchNode:
    return SearchNode(1, 0, proposal.patch, 1, origin=proposal.origin)


def everything(
    generator: TemplateGenerator, of: RepairContext, parent: SearchNode, step: int = 50
) -> list[Proposal]:
    found: list[Proposal] = []
    while proposals := generator.propose(of, parent, step):
        found.extend(proposals)
    return found


def texts(of: RepairContext, proposals: Sequence[Proposal]) -> list[str]:
    return [{**of.sources, **each.patch.apply(of.sources)}["m.py"] for each in proposals]


def uniform() -> RepairContext:
    return context({"m.py": BUGGY}, dict.fromkeys(range(2, 7), 1.0))


def test_single_edits_fall_in_score_and_name_their_template() -> None:
    of = uniform()
    found = everything(TemplateGenerator([PythonLanguage()]), of, root())
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0
    fixed = BUGGY.replace("number < best", "number > best")
    assert found[texts(of, found).index(fixed)].origin == "comparison-operator"


def seeded(seed: int) -> list[Proposal]:
    return everything(TemplateGenerator([PythonLanguage()]), replace(uniform(), seed=seed), root())


def test_a_seed_decides_among_equal_scores_and_nothing_else() -> None:
    plain, first, second = seeded(0), seeded(1), seeded(2)
    assert first == seeded(1)
    assert texts(uniform(), first) != texts(uniform(), plain)
    assert texts(uniform(), first) != texts(uniform(), second)
    for other in (first, second):
        assert set(texts(uniform(), other)) == set(texts(uniform(), plain))
        scores = [each.score for each in other]
        assert scores == sorted(scores, reverse=True)
        assert other[0] == plain[0]  # the only one of its score


def test_without_a_seed_the_first_in_the_file_goes_first_among_equals() -> None:
    of = context({"m.py": "def f(a, b):\n    c = a + b\n    d = a + b\n"}, {2: 1.0, 3: 1.0})
    found = everything(TemplateGenerator([PythonLanguage()]), of, root())
    lines = [each.patch.hunks[0].first for each in found if each.score == found[0].score]
    assert lines == sorted(lines)
    assert set(lines) == {2, 3}


def test_successive_calls_continue_and_agree_with_one_call() -> None:
    of = uniform()
    in_steps = everything(TemplateGenerator([PythonLanguage()]), of, root(), step=7)
    at_once = TemplateGenerator([PythonLanguage()]).propose(of, root(), 100_000)
    assert in_steps == list(at_once)


def test_nothing_is_proposed_twice_nor_the_base() -> None:
    of = uniform()
    language = PythonLanguage()
    found = everything(TemplateGenerator([language]), of, root())
    forms = [language.normalise(text) for text in texts(of, found)]
    assert None not in forms
    assert len(set(forms)) == len(forms)
    assert language.normalise(BUGGY) not in forms


def test_suspicious_lines_come_first() -> None:
    of = context({"m.py": BUGGY}, {2: 0.1, 4: 1.0})
    found = TemplateGenerator([PythonLanguage()]).propose(of, root(), 20)
    touched = {hunk.first for each in found for hunk in each.patch.hunks}
    assert 4 in touched
    assert not touched & {2, 3}


def test_lines_without_suspicion_are_never_touched() -> None:
    of = context({"m.py": BUGGY}, {10: 1.0})
    found = everything(TemplateGenerator([PythonLanguage()]), of, root())
    assert found
    assert min(hunk.first for each in found for hunk in each.patch.hunks) >= 10


def test_composition_reaches_a_fix_of_two_edits() -> None:
    of = uniform()
    generator = TemplateGenerator([PythonLanguage()])
    half = BUGGY.replace("number < best", "number > best")
    first = generator.propose(of, root(), 400)
    parent = node(first[texts(of, first).index(half)])
    whole = half.replace("best = 1", "best = 0")
    assert whole in texts(of, generator.propose(of, parent, 400))


def test_compositions_keep_the_parents_edit_and_repeat_no_single_edit() -> None:
    of = uniform()
    generator = TemplateGenerator([PythonLanguage()])
    first = everything(generator, of, root())
    parent = node(first[0])
    second = everything(generator, of, parent)
    assert second
    assert not {each.patch for each in first} & {each.patch for each in second}
    assert Patch() not in {each.patch for each in second}


def test_parent_in_another_file_is_kept() -> None:
    sources = {"m.py": "x = a < b\n", "n.py": "y = c < d\n"}
    of = context(sources, {1: 1.0})
    patch = diff_texts(sources, {"n.py": "y = c <= d\n"})
    found = TemplateGenerator([PythonLanguage()]).propose(of, SearchNode(1, 0, patch, 1), 10)
    assert found
    assert all(each.patch.apply(sources)["n.py"] == "y = c <= d\n" for each in found)


def test_forgotten_enumerations_continue_where_they_stopped() -> None:
    of = uniform()

    def alternating(kept: int) -> list[Proposal]:
        settings = TemplateSettings(streams_kept=kept)
        generator = TemplateGenerator([PythonLanguage()], settings)
        found = list(generator.propose(of, root(), 10))
        parent = node(found[0])
        for _ in range(3):
            found += generator.propose(of, parent, 5)
            found += generator.propose(of, root(), 5)
        return found

    assert alternating(kept=1) == alternating(kept=32)


def test_a_new_context_starts_afresh() -> None:
    generator = TemplateGenerator([PythonLanguage()])
    assert generator.propose(uniform(), root(), 5) == generator.propose(uniform(), root(), 5)


def test_unparsable_file_and_unknown_language_yield_nothing() -> None:
    broken = context({"m.py": "def f(:\n    pass\n"}, {1: 1.0})
    assert TemplateGenerator([PythonLanguage()]).propose(broken, root(), 5) == []
    unknown = context({"m.rb": "x = 1\n"}, {1: 1.0})
    assert TemplateGenerator([PythonLanguage()]).propose(unknown, root(), 5) == []


def test_only_the_lines_in_reach_are_enumerated() -> None:
    body = "".join(f"v{number} = v{number} < w\n" for number in range(500))

    class Counting(PythonLanguage):
        asked = 0

        def edits(
            self, text: str, lines: frozenset[int] | None, ingredients: Ingredients
        ) -> Iterator[Edit]:
            Counting.asked += len(lines or ())
            return super().edits(text, lines, ingredients)

    of = context({"m.py": body}, {line: 1.0 if line <= 10 else 0.01 for line in range(1, 501)})
    TemplateGenerator([Counting()]).propose(of, root(), 5)
    assert 0 < Counting.asked <= 80
