"""Injected bugs are of many kinds, and what is asked for undoes them."""

import ast
from random import Random
from textwrap import dedent

import pytest

from apr.generation.seq2seq.format import GAP
from apr.training.examples import SourceFile
from apr.training.injection import inject
from apr.training.mutations import CATALOGUE, ONLY, Code, apply, mutate

PYTHON = '''def pick(items, limit=3, strict=False):
    """Choose some."""
    found = []
    first_item = items[0]
    for index in range(len(items) - 1):
        item = items[index + 1]
        if item is None or (item < limit and not strict):
            continue
        try:
            found.append(item.value * (limit + first_item.weight))
            found.sort()
        except KeyError:
            raise ValueError(first_item, item)
    return max(found, first_item)
'''
C = """int pick(int *items, int count, struct box *box) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        if (items[i] > 0 && check(items[i], box->limit)) {
            found += items[i];
            note(box, found);
        }
    }
    return found * (count - 1);
}
"""


def changes(name: str, code: Code) -> set[str]:
    found = [mutate(code, Random(seed), (name,)) for seed in range(30)]
    return {apply(code.text, one[1]) for one in found if one}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_kind_finds_places(name: str) -> None:
    language = ONLY.get(name, ("python",))[0]
    code = Code(PYTHON if language == "python" else C, language)
    found = changes(name, code)
    assert found and code.text not in found


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("condition", "if item is None:"),
        ("off by one", "range(len(items))"),
        ("negation", "and strict)"),
        (
            "guard",
            "    for index in range(len(items) - 1):\n        item = items[index + 1]\n        try",
        ),
        ("parentheses", "item.value * limit + first_item.weight"),
        ("exception", "except IndexError:"),
        ("arguments", "ValueError(item, first_item)"),
    ],
)
def test_kinds_do_what_they_are_called_after(name: str, wanted: str) -> None:
    assert any(wanted in text for text in changes(name, Code(PYTHON, "python")))


def test_docstrings_are_not_taken_for_statements() -> None:
    for name in ("dropped line", "moved line", "depth"):
        assert all(
            text.count("Choose some.") == 1 for text in changes(name, Code(PYTHON, "python"))
        )


@pytest.mark.parametrize("text, language", [(PYTHON, "python"), (C, "c")])
def test_the_answer_undoes_the_bug(text: str, language: str) -> None:
    file = SourceFile("me/mine", "m", language, text)
    examples = [one for seed in range(8) for one in inject(file, Random(seed), twice=0)]
    assert len(examples) > 10
    for example in examples:
        before, buggy, after = parts(example.source)
        assert buggy != example.target
        if GAP not in before:
            assert before + example.target + after == text


def test_with_a_second_bug_in_sight_the_answer_is_right_nevertheless() -> None:
    file = SourceFile("me/mine", "m", "python", PYTHON)
    examples = [one for seed in range(8) for one in inject(file, Random(seed), twice=1)]
    around = [before + after for before, _, after in (parts(one.source) for one in examples)]
    assert any(line not in PYTHON for text in around for line in text.splitlines())
    assert all(line in PYTHON for one in examples for line in one.target.splitlines())


def parts(source: str) -> tuple[str, str, str]:
    """What is before, in and after the hunk of an input."""
    before, rest = source.split("<before>")[1].split("<buggy>")
    buggy, after = rest.split("<after>")
    return before, buggy, after


def test_injected_python_still_parses() -> None:
    file = SourceFile("me/mine", "m", "python", PYTHON)
    for seed in range(8):
        for example in inject(file, Random(seed)):
            code = example.source.split("<before>")[1].replace("<buggy>", "").replace("<after>", "")
            ast.parse(dedent(code))
