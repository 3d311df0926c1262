"""Examples of issues as tests: what is code, what was answered, what cannot be a test."""

from __future__ import annotations

import pytest

from apr.reproduction.snippets import MOST, draft_tests

TYPED = """\
It fails:

```
>>> import shop
KeyboardInterrupt
>>> for n in (1, 2):
...     shop.price(n)
Traceback (most recent call last):
ValueError: no price
```
"""


def test_a_transcript_is_taken_without_its_answers() -> None:
    (draft,) = draft_tests(TYPED, "")
    assert draft == (
        "def test_issue():\n    import shop\n    for n in (1, 2):\n        shop.price(n)\n"
    )


def test_a_transcript_outside_of_a_block_counts_too() -> None:
    assert draft_tests("So:\n\n>>> f(1)\n2\n", "") == ["def test_issue():\n    f(1)\n"]
    assert draft_tests("In [1]: f(1)\nOut[1]: 2\n", "") == ["def test_issue():\n    f(1)\n"]


def test_examples_come_alone_then_together_then_with_the_packages_names() -> None:
    drafts = draft_tests("```python\na = 1\n```\n\n```\nf(a)\n```\n", "pack")
    alone = ["def test_issue():\n    a = 1\n", "def test_issue():\n    f(a)\n"]
    assert drafts[:3] == [*alone, "def test_issue():\n    a = 1\n    f(a)\n"]
    assert drafts[3:] == [f"from pack import *\n{draft}" for draft in drafts[:3]]


def test_imports_of_all_names_stand_at_the_top() -> None:
    (draft,) = draft_tests("```py\nfrom shop import *\nprice(1)\n```", "")
    assert draft == "from shop import *\n\ndef test_issue():\n    price(1)\n"


@pytest.mark.parametrize(
    "issue",
    ["no code", "```shell\nls\n```", "```\nnot (python\n```", "```\nreturn 1\n```", "```\n```"],
)
def test_what_is_no_program_makes_no_test(issue: str) -> None:
    assert draft_tests(issue, "pack") == []


def test_there_are_never_many_drafts() -> None:
    issue = "\n".join(f"```\nf({n})\n```" for n in range(50))
    assert len(draft_tests(issue, "pack")) == MOST
