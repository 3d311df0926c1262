"""What a piece of code reaches for: the values that the readers of all languages return."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from validation.integrity.violation import ViolationKind

Reaches = dict["Reach", int]
"""Everything a file reaches for, with the 1-based line where it first does."""

_WORD = re.compile(r"[A-Za-z_]\w*")
SHORTEST_TEST_NAME = 6


@dataclass(frozen=True, slots=True)
class Reach:
    """One thing that code reaches for; `what` completes the sentence `it newly uses …`."""

    kind: ViolationKind
    what: str


class TestNames:
    """The words by which a program could know a test: functions, classes and files of tests."""

    __test__ = False

    def __init__(self, tests: Collection[str]) -> None:
        words = (word for test in tests for word in _WORD.findall(test.partition("[")[0]))
        self._words = frozenset(word for word in words if _is_telling(word))

    def named_in(self, text: str) -> str | None:
        """A test's name that stands in the text as a word of its own."""
        if not self._words:
            return None
        return next((word for word in _WORD.findall(text) if word in self._words), None)


def _is_telling(word: str) -> bool:
    """Long enough, and a test's by its look: `test_gcd`, `TestGcd`, `GcdTest`, not `tests`."""
    if len(word) < SHORTEST_TEST_NAME:
        return False
    return bool(re.match(r"test_\w|test[A-Z0-9]|Test[A-Z]", word)) or word.endswith(
        ("_test", "_tests", "Test", "Tests", "TestCase")
    )


def newly(changed: Reaches, original: Iterable[Reach]) -> list[tuple[Reach, int]]:
    """What only the changed code reaches for, in order of lines."""
    known = frozenset(original)
    fresh = [(reach, line) for reach, line in changed.items() if reach not in known]
    return sorted(fresh, key=lambda item: item[1])
