"""What a model is asked for a test of an issue, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Sequence

from apr.core.errors import BudgetExhaustedError
from apr.core.location import Location, SuspiciousLocation
from apr.core.model import Answer, ModelReply, ModelRequest
from apr.generation.prompt.evidence import estimate_tokens
from apr.generation.prompt.reproducing import ReproductionAuthor, reproduction_prompt

SOURCES = {"shop/m.py": "LIMIT = 3\n\n\ndef price(n):\n    return n + LIMIT\n"}
SUSPECTS = (
    SuspiciousLocation(Location("shop/m.py", 5, 5), 1.0, "issue", "price"),
    SuspiciousLocation(Location("shop/m.py", 1, 1), 0.9, "issue"),
)
EXAMPLE = "from shop.m import price\n" + "\n" * 40 + "def test_far_below():\n    pass\n"
ANSWER = (
    "Like so:\n```python\nfrom shop.m import price\n\n"
    "def test_a():\n    assert price(1) == 3\n\ndef test_b():\n    assert price(2) == 6\n```"
)


class Scripted:
    """A client that answers every request alike."""

    name = "small"

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = answers
        self.asked: list[ModelRequest] = []

    def complete(
        self, requests: Sequence[ModelRequest], arrived: object = None
    ) -> list[ModelReply]:
        self.asked += requests
        if not self.answers:
            raise BudgetExhaustedError("no money")
        return [ModelReply(tuple(Answer(text) for text in self.answers)) for _ in requests]


def test_the_prompt_has_the_issue_the_suspects_and_the_head_of_a_test_file() -> None:
    system, user = reproduction_prompt("It is dear.", SUSPECTS, SOURCES, EXAMPLE, 2000)
    assert "It is dear." in user.content
    assert "`price` in `shop/m.py`" in user.content
    assert "def price(n):" in user.content
    assert "from shop.m import price" in user.content
    assert "test_far_below" not in user.content
    assert "pytest" in system.content


def test_a_long_issue_is_cut_and_the_task_stays() -> None:
    issue = "first line\n" + "more words here\n" * 4000
    prompt = reproduction_prompt(issue, SUSPECTS, SOURCES, EXAMPLE, 500)
    assert "first line" in prompt[1].content
    assert prompt[1].content.endswith("Answer with one code block.")
    assert sum(estimate_tokens(message.content) for message in prompt) <= 510


def test_every_test_of_every_answer_is_a_file_and_equal_ones_are_one() -> None:
    client = Scripted([ANSWER, ANSWER, "no code at all"])
    texts = ReproductionAuthor(client).write("It is dear.", SUSPECTS, SOURCES, EXAMPLE)
    assert [text.count("def test_") for text in texts] == [1, 1]
    assert all(text.startswith("import pytest\nfrom shop.m import price") for text in texts)
    assert client.asked[0].sampling.n == 4


def test_without_money_there_is_no_test() -> None:
    assert ReproductionAuthor(Scripted([])).write("It is dear.", (), SOURCES, "") == []
