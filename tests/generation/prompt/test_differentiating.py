"""What a model is asked when it is to tell versions apart, and what is made of its answer."""

from __future__ import annotations

import ast

import pytest

from apr.core.model import Answer, ModelReply, ModelRequest
from apr.generation.prompt.differentiating import (
    AuthorSettings,
    ModelAuthor,
    cut_tests,
    differentiating_prompt,
)
from apr.generation.prompt.evidence import estimate_tokens
from validation.patchdiff.model import Target
from validation.patchdiff.written import View

LEFT, RIGHT = "def f(n):\n    return n", "def f(n):\n    return n + 0.0"
ONE = View(
    Target("shop/m.py", "shop.m", "f", is_changed=True),
    (LEFT, RIGHT),
    ("f(3)", "f(-1)"),
    ("test_m.py::test_small",),
)
CALLER = View(
    Target("shop/m.py", "shop.m", "price", is_changed=False, reaches=("shop/m.py:f",)),
    ("def price():\n    return f(2)",) * 2,
    ("price()",),
    (),
)
ANSWER = """They differ in the type.

```python
from shop.m import f

LIMIT = 7

def f(n):
    return n

def test_int():
    assert type(f(1)) is int

class TestF:
    def setup_method(self):
        self.n = LIMIT

    def test_method(self):
        assert f(self.n) == 7

    def test_other(self):
        assert f(0) == 0

def test_cut_off():
    assert f(
```
"""


class Scripted:
    """A client that answers so, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.asked: list[ModelRequest] = []

    def complete(self, requests, arrived=None):
        self.asked += requests
        replies = tuple(Answer(text) for text in self.answers)
        return [ModelReply(replies) for _ in requests]


def test_an_answer_becomes_one_file_a_test_with_the_function_itself_imported() -> None:
    texts = cut_tests(ANSWER, ONE)
    assert len(texts) == 3
    for text in texts:
        tree = ast.parse(text)
        assert text.startswith("import pytest\nfrom shop.m import f\n")
        assert "LIMIT = 7" in text
        assert sum(n.name.startswith("test") for n in ast.walk(tree) if _is_def(n)) == 1
        assert not any(node.name == "f" for node in ast.walk(tree) if _is_def(node))
    assert "setup_method" in texts[1]
    assert "test_other" in texts[2]


def _is_def(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef)


@pytest.mark.parametrize("answer", ["I cannot.", "```python\n```", "```python\nx = (\n```", ""])
def test_an_answer_without_a_test_is_no_file(answer: str) -> None:
    assert cut_tests(answer, ONE) == []


def test_the_prompt_shows_both_versions_with_their_calls_and_callers() -> None:
    prompt = differentiating_prompt(ONE, [CALLER], ("gold", "tool"), "It is a float.", 3, 3000)
    text = prompt[-1].content
    for wanted in (LEFT, RIGHT, "as gold has it", "as tool has it", "f(-1)", "leads to it"):
        assert wanted in text
    assert "It is a float." in text
    assert "asserts what gold does" in text


def test_a_small_prompt_keeps_the_versions_and_drops_the_rest() -> None:
    prompt = differentiating_prompt(ONE, [CALLER], ("gold", "tool"), "word " * 900, 3, 330)
    text = prompt[-1].content
    assert LEFT in text
    assert RIGHT in text
    assert "word word" not in text
    assert estimate_tokens("".join(message.content for message in prompt)) <= 340


def test_the_changed_functions_are_asked_about_and_texts_are_kept_once() -> None:
    client = Scripted(ANSWER, ANSWER)
    tests = ModelAuthor(client, ("gold", "tool"), settings=AuthorSettings(answers=2))([CALLER, ONE])
    assert [each.name for each in tests] == [f"test_written_{n}.py" for n in (1, 2, 3)]
    (request,) = client.asked
    assert request.sampling.n == 2
    again = Scripted(ANSWER)
    ModelAuthor(again, ("gold", "tool"), settings=AuthorSettings(answers=2))([CALLER, ONE])
    assert again.asked[0].digest == request.digest
