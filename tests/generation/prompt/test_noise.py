"""A correct edit, mangled as models mangle them, is read as that edit or refused: nothing else."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from apr.generation.prompt.answer import AnswerError, Focus, read_answer
from apr.source.statements import index_source

# Functions that resemble each other, so that a careless reader would change the wrong one.
SOURCE = textwrap.dedent(
    '''\
    """Sums."""
    import math


    def total(items):
        result = 0
        for item in items:
            if item > 0:
                result += item
        return result


    def total_squares(items):
        result = 0
        for item in items:
            if item > 0:
                result += item * item
        return result


    class Basket:
        def __init__(self, items):
            self.items = items

        def total(self):
            result = 0
            for item in self.items:
                if item > 0:
                    result += item

            return result

        def largest(self):
            result = 0
            for item in self.items:
                if item > result:
                    result = item
            return result
    '''
)
PATH = "pkg/sums.py"
SOURCES = {PATH: SOURCE, "pkg/other.py": SOURCE.replace("Sums", "Others")}
LINES = SOURCE.split("\n")
FUNCTIONS = index_source(PATH, SOURCE).functions
REPLACEMENTS = {
    "result = 0": "result = 1",
    "> 0": ">= 0",
    "+= item": "+= abs(item)",
    "> result": ">= result",
    "result = item": "result = item + 1",
    "return result": "return result or None",
}


@dataclass(frozen=True)
class Change:
    """The right answer: `new` instead of the 0-based line `at`, inside `focus`."""

    at: int
    new: str
    focus: Focus

    @property
    def expected(self) -> list[str]:
        return [*LINES[: self.at], self.new, *LINES[self.at + 1 :]]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    function = draw(st.sampled_from(FUNCTIONS))
    options = [
        (at, LINES[at].replace(old, new))
        for at in range(function.first - 1, function.last)
        for old, new in REPLACEMENTS.items()
        if old in LINES[at]
    ]
    if not options:
        options = [(function.last - 1, LINES[function.last - 1] + "  # mended")]
    at, new = draw(st.sampled_from(options))
    short = function.name.rpartition(".")[2]
    return Change(at, new, Focus(PATH, function.first, function.last, short))


def window(draw: st.DrawFn, change: Change) -> tuple[int, int]:
    """The 0-based lines around the change that the answer shows, end exclusive."""
    first = draw(st.integers(max(0, change.at - 4), change.at))
    return first, draw(st.integers(change.at + 1, min(len(LINES), change.at + 5)))


def typo(draw: st.DrawFn, line: str) -> str:
    """The line with two of its letters exchanged, now and then."""
    if len(line) < 4 or draw(st.integers(0, 5)):
        return line
    at = draw(st.integers(0, len(line) - 2))
    return line[:at] + line[at + 1] + line[at] + line[at + 2 :]


def shifted(lines: list[str], by: int) -> list[str]:
    """The lines with so many more blanks before them; fewer where `by` is negative."""
    if by >= 0:
        return [" " * by + line if line.strip() else line for line in lines]
    common = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return [line[min(-by, common) :] for line in lines]


@st.composite
def search_replace(draw: st.DrawFn, change: Change) -> str:
    first, last = window(draw, change)
    by = draw(st.sampled_from([0, 0, 0, -4, -8, 4]))
    old = [typo(draw, line) for line in LINES[first:last]]
    new = [*old[: change.at - first], change.new, *old[change.at - first + 1 :]]
    old, new = _together(old, new, by)
    pad = [""] * draw(st.integers(0, 1))
    name = draw(st.sampled_from([PATH, f"`{PATH}`", f"### {PATH}", "sums.py", "", f"./{PATH}"]))
    block = ["<<<<<<< SEARCH", *pad, *old, *pad, "=======", *new, ">>>>>>> REPLACE"]
    fenced = draw(st.booleans())
    return "\n".join([name, "```python", *block, "```"] if fenced else [name, *block])


def _together(old: list[str], new: list[str], by: int) -> tuple[list[str], list[str]]:
    moved = shifted([*old, *new], by)
    return moved[: len(old)], moved[len(old) :]


@st.composite
def unified(draw: st.DrawFn, change: Change) -> str:
    first, last = window(draw, change)
    by = draw(st.sampled_from([0, 0, 0, -4, 4]))
    old = [typo(draw, line) for line in LINES[first:last]]
    old, [new] = _together(old, [change.new], by)
    body = [f" {line}" for line in old[: change.at - first]]
    body += [f"-{old[change.at - first]}", f"+{new}"]
    body += [f" {line}" for line in old[change.at - first + 1 :]]
    if draw(st.booleans()):  # blank context loses its blank
        body = [line if line.strip() else "" for line in body]
    number = draw(st.integers(1, 60))
    header = draw(st.sampled_from(["@@", "@@ ... @@", f"@@ -{number},9 +{number},3 @@"]))
    files = draw(st.sampled_from([[], [f"--- a/{PATH}", f"+++ b/{PATH}"], [f"+++ {PATH}"]]))
    return "\n".join(["```diff", *files, header, *body, "```"])


@st.composite
def whole_function(draw: st.DrawFn, change: Change) -> str:
    focus = change.focus
    lines = change.expected[focus.first - 1 : focus.last]
    kind = draw(st.sampled_from(["function", "dedented", "file", "bare"]))
    if kind == "file":
        lines = change.expected
    elif kind != "function":
        lines = textwrap.dedent("\n".join(lines)).split("\n")
    if kind == "bare":
        return "\n".join(lines)
    label = draw(st.sampled_from(["python", "py", "", "Python3"]))
    is_closed = draw(st.booleans())
    return "\n".join([f"```{label}", *lines, *(["```"] if is_closed else [])])


@st.composite
def answers(draw: st.DrawFn) -> tuple[Change, str]:
    change = draw(changes())
    form = draw(st.sampled_from([search_replace, unified, whole_function]))
    text = draw(form(change))
    lines = [line + " " * draw(st.sampled_from([0, 0, 0, 2])) for line in text.split("\n")]
    before = draw(st.sampled_from(["", "The sum is wrong.\n\n", "Here is `total`:\n"]))
    after = draw(st.sampled_from(["", "\n\nThis mends it.", "\n\n```\n>>> total([1])\n1\n```"]))
    if form is whole_function and "```" not in text:
        before = after = ""
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return change, ending.join([*before.split("\n"), *lines, *after.split("\n")])


@given(answers())
def test_a_mangled_edit_is_that_edit_or_refused(case: tuple[Change, str]) -> None:
    change, text = case
    try:
        changed = read_answer(text, SOURCES, change.focus)
    except AnswerError:
        return
    assert set(changed) == {PATH}
    got = [line.rstrip() for line in changed[PATH].split("\n")]
    assert got == [line.rstrip() for line in change.expected], text


@given(changes(), st.data())
def test_what_is_not_mangled_is_understood(change: Change, data: st.DataObject) -> None:
    text = data.draw(whole_function(change))
    changed = read_answer(text, SOURCES, change.focus)
    assert changed[PATH].split("\n") == change.expected
    focus = change.focus
    old = "\n".join(LINES[focus.first - 1 : focus.last])
    new = "\n".join(change.expected[focus.first - 1 : focus.last])
    block = f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"
    assert read_answer(block, SOURCES, focus)[PATH].split("\n") == change.expected
