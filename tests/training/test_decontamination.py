"""The benchmarks stay out of the training data."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from apr.training.collecting import read_benchmarks
from apr.training.decontamination import Contamination, contamination_of, is_subject
from apr.training.examples import Example
from apr.training.selection import clean, split_projects

PLANTED = '''def heights(tree):
    """How deep each leaf of a tree is."""
    found = []
    pending = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        for child in node.children:
            pending.append((child, depth + 1))
        if not node.children:
            found.append((node.name, depth))
    return sorted(found)
'''
OTHER = "<python><retrieved><before>def area(a, b):\n<buggy>    return a + b\n<after>"
EXAMPLE = Example("me/mine", "python", "mined", "replace", "1", "area", OTHER, "    return a * b\n")


@pytest.fixture
def contamination(tmp_path: Path) -> Contamination:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "heights.py").write_text(PLANTED)
    (tmp_path / "rows.jsonl").write_text('{"entry_point": "mean_depth", "prompt": ""}\n')
    return read_benchmarks([tmp_path])


def kept(contamination: Contamination, *examples: Example) -> tuple[int, Counter[str]]:
    refused: Counter[str] = Counter()
    return len(list(clean(examples, contamination, set(), refused))), refused


def test_a_planted_function_is_refused_under_another_name(contamination: Contamination) -> None:
    before, after = PLANTED.replace("heights", "levels").split("    if not")[0], "    return x\n"
    source = f"<python><retrieved><before>{before}<buggy><after>{after}"
    planted = replace(EXAMPLE, source=source, function="levels")
    assert kept(contamination, EXAMPLE, planted) == (1, Counter({"n-gram": 1}))


def test_the_part_of_a_function_that_is_asked_for_is_looked_at_too(
    contamination: Contamination,
) -> None:
    planted = replace(EXAMPLE, target="".join(PLANTED.splitlines(keepends=True)[3:8]))
    assert kept(contamination, planted) == (0, Counter({"n-gram": 1}))


@pytest.mark.parametrize("name", ["heights", "Heights", "mean_depth", "meanDepth"])
def test_functions_of_a_benchmark_are_refused_by_name(
    contamination: Contamination, name: str
) -> None:
    assert kept(contamination, replace(EXAMPLE, function=name)) == (0, Counter({"function": 1}))


def test_files_that_define_such_a_function_are_refused(contamination: Contamination) -> None:
    assert contamination.refuses_file("def other():\n    pass\n") is None
    assert contamination.refuses_file("int meanDepth(Tree t) {\n return 0;\n}\n") == "function"
    assert contamination.refuses_file("x = 1\n" + PLANTED.split("\n", 1)[1]) == "n-gram"


@pytest.mark.parametrize("name", ["sympy/sympy", "apache/commons-lang", "nvbn/thefuck", "Pandas"])
def test_subjects_of_benchmarks_are_refused_whole(name: str) -> None:
    assert is_subject(name)
    refused = kept(Contamination(), replace(EXAMPLE, project=name))
    assert refused == (0, Counter({"subject": 1}))


def test_no_example_is_kept_twice() -> None:
    again = replace(EXAMPLE, project="me/fork")
    assert kept(contamination_of([]), EXAMPLE, again) == (1, Counter({"duplicate": 1}))


def test_two_projects_of_each_language_are_held_out_whole() -> None:
    languages = {f"a/{n}": "python" for n in range(9)} | {f"b/{n}": "c" for n in range(9)}
    splits = split_projects(languages)
    assert splits == split_projects(dict(reversed(languages.items())))
    for language in ("python", "c"):
        found = Counter(splits[project] for project in languages if languages[project] == language)
        assert found == {"train": 7, "valid": 1, "test": 1}
