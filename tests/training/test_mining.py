"""Fixes are read from a real history, and nothing else is taken for one."""

from pathlib import Path
from random import Random

import pytest
from git import Actor, Repo

from apr.training.examples import Example, Hunk, make_example, widen
from apr.training.examples import Place as ExamplePlace
from apr.training.mining import mine, parse_history

ME = Actor("Me", "me@example.org")
START = """import os


def total(items):
    result = 0
    for item in items[1:]:
        result += item
    return result


def mean(items):
    return total(items) / len(items)
"""


class History:
    """A repository to commit to."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repo.init(folder)
        self._folder = folder

    def commit(self, message: str, **files: str) -> None:
        for name, text in files.items():
            path = self._folder / name.replace("__", "/").replace("_py", ".py").replace("_c", ".c")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            self.repository.index.add([str(path)])
        self.repository.index.commit(message, author=ME, committer=ME)

    def mined(self) -> list[Example]:
        return list(mine(self.repository, "me/mine"))


@pytest.fixture
def history(tmp_path: Path) -> History:
    found = History(tmp_path)
    found.commit("Start", m_py=START)
    return found


def test_a_fix_is_mined_with_its_function(history: History) -> None:
    history.commit("Fix the sum of lists", m_py=START.replace("items[1:]", "items"))
    (example,) = history.mined()
    assert (example.language, example.edit, example.function) == ("python", "replace", "total")
    assert "<buggy>    for item in items[1:]:\n" in example.source
    assert example.target.startswith("    for item in items:\n")
    assert "def mean" not in example.source  # nothing outside of the function is shown


def test_each_hunk_of_a_fix_is_an_example(history: History) -> None:
    fixed = START.replace("items[1:]", "items").replace("/ len(items)", "/ max(len(items), 1)")
    history.commit("fix bugs in sums", m_py=fixed)
    examples = history.mined()
    assert [example.function for example in examples] == ["total", "mean"]
    assert {example.detail for example in examples} == {"2"}
    # The other hunk is still as it was.
    assert "<buggy>    return total(items) / len(items)\n" in examples[1].source


@pytest.mark.parametrize(
    "message, change",
    [
        ("Rename a thing", ("items[1:]", "items")),
        ("Fix typo", ("items[1:]", "items")),
        ("Fix indentation", ("    result = 0", "      result = 0")),
        ("Fix what the comment says", ("    result = 0", "    result = 0  # at first")),
        ("Fix the import", ("import os", "import sys")),
        ("Fix everything", (START, "\n".join(f"x{n} = {n}" for n in range(40)))),
    ],
)
def test_what_is_no_small_fix_is_left_out(
    history: History, message: str, change: tuple[str, str]
) -> None:
    history.commit(message, m_py=START.replace(*change))
    assert history.mined() == []


def test_fixes_of_tests_alone_are_left_out(history: History) -> None:
    history.commit("More", tests__test_m_py=START)
    history.commit("Fix the tests' bug", tests__test_m_py=START.replace("[1:]", ""))
    assert history.mined() == []


def test_c_is_mined_with_its_functions(history: History) -> None:
    code = "int first(int *xs)\n{\n    return xs[1];\n}\n\nint other(void)\n{\n    return 2;\n}\n"
    history.commit("C", a_c=code)
    history.commit("Fix an off by one bug", a_c=code.replace("xs[1]", "xs[0]"))
    (example,) = history.mined()
    assert (example.language, example.function) == ("c", "first")
    assert "other" not in example.source


def test_insertions_are_counted_from_the_line_they_come_before() -> None:
    lines = ["\x01fix\x01", "diff --git a/m.py b/m.py", "index 1..2", "--- a/m.py", "+++ b/m.py"]
    (commit,) = parse_history([*lines, "@@ -4,0 +5,2 @@", "+one", "+two"])
    assert commit.files[0].hunks == [Hunk(5, 0, ("one", "two"))]


def test_a_widened_hunk_means_the_same_file() -> None:
    lines = ["a", "b", "c", "d"]
    for seed in range(40):
        hunk = widen(Hunk(3, 0, ("new",)), lines, Random(seed))
        start, end = hunk.first - 1, hunk.first - 1 + hunk.count
        assert [*lines[:start], *hunk.fixed, *lines[end:]] == ["a", "b", "new", "c", "d"]


def test_an_answer_left_of_the_margin_is_no_example() -> None:
    place = ExamplePlace("me/mine", "python", ["    a()", "    b()"])
    assert make_example(place, Hunk(1, 1, ("c()",)), "mined", "1") is None
