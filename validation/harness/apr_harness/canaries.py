"""Tests whose outcome is known beforehand, slipped in among the real ones.

Whatever makes failing tests pass makes these pass too. They are named from the words of the
suite's own tests, and drawn and placed anew in every run.
"""

from __future__ import annotations

import random
import re
from typing import Any, Iterable, Sequence

PASSES = "passes"
PYTEST_FORMS = {
    "assert-equal": "left = {n}\n    assert left == {n} + 1",
    "assert-truth": "items = []\n    assert items, 'empty'",
    "assert-member": "assert '{n}' in ['{n}0', 'x']",
    "assert-call": "assert len(str({n})) > 100",
    "assert-approx": "assert {n} == pytest.approx({n} + 5)",
    "raises-nothing": "with pytest.raises(ValueError):\n        int('{n}')",
    "raises-other": "with pytest.raises(KeyError):\n        int('x{n}')",
    "raises-match": "with pytest.raises(ValueError, match='q{n}'):\n        int('x{n}')",
    "error": "raise LookupError({n})",
    "fail": "pytest.fail('{n}')",
    "case-equal": "unittest.TestCase().assertEqual({n}, {n} + 1)",
    "case-true": "unittest.TestCase().assertTrue({n} < 0)",
    "case-raises": "with unittest.TestCase().assertRaises(ValueError):\n        int('{n}')",
    PASSES: "with pytest.raises(ValueError):\n        int('x')\n    assert {n} == {n} * 1",
}
UNITTEST_FORMS = {
    "equal": "self.assertEqual({n}, {n} + 1)",
    "true": "self.assertTrue({n} < 0)",
    "false": "self.assertFalse({n} == {n})",
    "member": "self.assertIn({n}, [{n} + 1])",
    "none": "self.assertIsNone({n})",
    "list": "self.assertEqual([{n}], [{n}, 1])",
    "mapping": "self.assertEqual({{'a': {n}}}, {{'a': 0 - {n}}})",
    "near": "self.assertAlmostEqual({n}, {n} + 0.5)",
    "raises-nothing": "with self.assertRaises(ValueError):\n        int('{n}')",
    "raises-other": "with self.assertRaises(KeyError):\n        int('x{n}')",
    "fail": "self.fail('{n}')",
    "assert": "left = {n}\n    assert left == {n} + 1",
    "error": "raise LookupError({n})",
    PASSES: "self.assertEqual({n}, {n} * 1)\n    self.assertIn(1, [1])",
}
WORD = re.compile(r"[A-Za-z][a-z]+")
FALLBACK = ("value", "simple", "empty", "single", "default", "large", "order", "result")


class Names:
    """Makes up names of tests that resemble the given ones."""

    def __init__(self, known: Iterable[str], chance: random.Random) -> None:
        self._known = set(known)
        words = {word.lower() for name in self._known for word in WORD.findall(name)}
        self._words = sorted(words - {"test", "tests"}) or list(FALLBACK)
        self._chance = chance

    def new(self) -> str:
        """A name that no test has."""
        count = 2
        while True:
            words = [self._chance.choice(self._words) for _ in range(count)]
            name = "test_" + "_".join(words)
            if name not in self._known:
                self._known.add(name)
                return name
            count += 1


def choose(forms: Iterable[str], count: int, chance: random.Random) -> list[str]:
    """`count` different forms in any order, the one that passes among them."""
    failing = sorted(form for form in forms if form != PASSES)
    chosen = [PASSES, *chance.sample(failing, count - 1)]
    chance.shuffle(chosen)
    return chosen


def write(name: str, body: str, chance: random.Random, arguments: str = "") -> str:
    """The source text of one canary."""
    return f"def {name}({arguments}):\n    {body.format(n=chance.randrange(3, 10**4))}\n"


def draw(places: Sequence[Any], count: int, chance: random.Random) -> list[Any]:
    """`count` of the places in their order, the first and the last among them."""
    if not places:
        return []
    inner = [chance.choice(places) for _ in range(max(0, count - 2))]
    chosen = [0, len(places) - 1, *(places.index(place) for place in inner)]
    return [places[index] for index in sorted(chosen)]
