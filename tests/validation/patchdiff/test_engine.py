"""Whole comparisons in real sandboxes: what is found, how it is proven, and what is no alarm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apr.core.bug import RunnerKind
from apr.core.report import TestOutcome
from support.patchdiff import QUICK
from validation.patchdiff.model import Aspect, DiffReport, DiffVerdict, Discrepancy

TESTS = """import m


def test_small():
    assert m.f(3) == 3
    assert m.f(10) == 10
"""

MANY = """import warnings

SEEN = []
ITEMS = {}


class Account:
    def __init__(self, balance):
        self.balance = balance

    def take(self, amount):
        if amount > self.balance:
            return False
        self.balance -= amount
        return True

    @property
    def level(self):
        return "high" if self.balance > 50 else "low"


def clean(items):
    items.sort()


def greet(name):
    print("Hello " + name.strip())


def warn(level):
    if level > 5:
        warnings.warn("high", stacklevel=2)


def note(word):
    if len(word) > 3:
        SEEN.append(word)


def store(name, text):
    with open(name + ".txt", "w") as file:
        file.write(text)


def count(n):
    for i in range(n):
        yield i * i


def make(balance):
    return Account(max(balance, 0))


def half(x):
    return x / 2


def _scale(x):
    return x * 3


def total(x):
    return sum(map(_scale, range(x)))
"""
MANY_TESTS = """import m


def test_all(capsys):
    account = m.Account(10)
    assert account.take(3)
    assert account.level == "low"
    items = [3, 1]
    m.clean(items)
    assert items == [1, 3]
    m.greet("you")
    m.warn(2)
    m.note("ab")
    m.store("a", "b")
    assert list(m.count(3)) == [0, 1, 4]
    assert m.make(5).balance == 5
    assert m.half(2.0) == 1.0
    assert m.total(2) == 3
"""
EDITS = {
    "Account.take": ("amount > self.balance", "amount >= self.balance"),
    "Account.level": ("> 50", "> 60"),
    "clean": ("items.sort()", "items.sort(key=abs)"),
    "greet": ("name.strip()", "name.rstrip()"),
    "warn": ('"high", stack', '"too high", stack'),
    "note": ("> 3", "> 4"),
    "store": ("file.write(text)", "file.write(text.lower())"),
    "count": ("yield i * i", "yield i * i if i < 3 else 0"),
    "make": ("max(balance, 0)", "max(balance, -1)"),
    "half": ("x / 2", "x / 2 if x < 9 else 0.0"),
    "_scale": ("x * 3", "x * 3 if x < 5 else x"),
}
EXPECTED = {
    "Account.take": Aspect.VALUE,
    "Account.level": Aspect.VALUE,
    "clean": Aspect.ARGUMENTS,
    "greet": Aspect.OUTPUT,
    "warn": Aspect.WARNINGS,
    "note": Aspect.STATE,
    "store": Aspect.FILES,
    "count": Aspect.VALUE,
    "make": Aspect.VALUE,
    "half": Aspect.VALUE,
    "_scale": Aspect.VALUE,
    "total": Aspect.VALUE,
}


def test_a_difference_beyond_the_suite_is_found_shrunk_and_proven(compare):
    left = "def f(n):\n    return n if n > 0 else 0\n"
    right = "def f(n):\n    if n < 0:\n        raise ValueError('negative')\n    return n\n"
    report = compare({"test_m.py": TESTS}, "m.py", left, right)
    assert report.verdict is DiffVerdict.DIVERGENT, report
    (found,) = report.discrepancies
    assert found.call.arguments == (-1,)
    assert found.aspects == (Aspect.ENDING,)
    assert found.question == (
        "for f(-1), left returns 0, right raises ValueError('negative'): which?"
    )
    assert found.confirmation.runs == QUICK.repeats
    assert found.witness.is_proven, found.witness.text
    assert found.witness.passes == ("left",)
    assert found.witness.fails == ("right",)
    assert [each.reached == each.total > 0 for each in report.coverage] == [True, True]


@pytest.fixture(scope="module")
def many(compare) -> DiffReport:
    """Every function of one module changed in a way of its own."""
    right = MANY
    for old, new in EDITS.values():
        assert right.count(old) == 1, old
        right = right.replace(old, new)
    settings = replace(QUICK, wanted=40, targets=20, seconds=240.0, repeats=1, inputs=300)
    return compare({"test_m.py": MANY_TESTS}, "m.py", MANY, right, settings=settings)


def found_in(report: DiffReport, name: str) -> Discrepancy:
    return next(found for found in report.discrepancies if found.target.name == name)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_kind_of_effect_is_compared(many, name):
    found = found_in(many, name)
    assert found.aspects[0] is EXPECTED[name], found.question


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "store"])
def test_the_test_of_every_kind_of_effect_is_proven(many, name):
    witness = found_in(many, name).witness
    assert witness is not None
    assert witness.is_proven, witness.text


def test_a_caller_is_told_from_the_function_that_changed(many):
    targets = {target.name: target for target in many.targets}
    assert targets["_scale"].is_changed
    assert not targets["total"].is_changed
    assert targets["total"].reaches == ("m.py:_scale",)


def test_a_rewriting_is_no_alarm(compare):
    left = "def f(n):\n    if not (n < 0 or n > 9):\n        return n\n    return 10\n"
    right = "def f(n):\n    return n if n >= 0 and n <= 9 else 10\n"
    report = compare({"test_m.py": TESTS}, "m.py", left, right)
    assert report.verdict is DiffVerdict.EQUIVALENT, report
    assert report.executions >= 100
    assert not report.discrepancies


VARYING = {
    "clock": "time.time_ns()",
    "identity": "id(object())",
    "hash_order": "list({str(i) for i in range(9)})",
    "entropy": "random.SystemRandom().random()",
    "address": "repr(object())",
    "seeded": "random.random()",
}


def test_what_varies_by_itself_is_no_difference(compare):
    left = "import random\nimport time\n"
    for name, body in VARYING.items():
        left += f"\n\ndef {name}(n):\n    return {body} if n < 0 else n\n"
    tests = "import m\n\n\ndef test_all():\n"
    tests += "".join(f"    assert m.{name}(3) == 3\n" for name in VARYING)
    settings = replace(QUICK, wanted=20, inputs=40)
    right = left.replace("n < 0", "0 > n")
    report = compare({"test_m.py": tests}, "m.py", left, right, settings=settings)
    assert not report.discrepancies, [found.question for found in report.discrepancies]
    assert report.rejected > 0
    assert report.verdict is DiffVerdict.UNDECIDED


INVALID = {
    "says": ('    """Counts.\n\n    n must be positive.\n    """\n', "says that n is positive"),
    "demands": ('    """Counts.\n\n    Precondition:\n        n >= 3\n    """\n', "n >= 3"),
    "asserts": ("    assert n > 0\n", "assertion"),
}


def test_a_difference_on_invalid_input_is_set_apart(compare):
    left = right = ""
    for name, (head, _) in INVALID.items():
        left += f"\n\ndef {name}(n):\n{head}    return n\n"
        body = "n if n > 0 else -n" if name != "asserts" else "n"
        right += f"\n\ndef {name}(n):\n{head if name != 'asserts' else ''}    return {body}\n"
    tests = "import m\n\n\ndef test_all():\n"
    tests += "".join(f"    assert m.{name}(3) == 3\n" for name in INVALID)
    settings = replace(QUICK, wanted=20, inputs=80)
    report = compare({"test_m.py": tests}, "m.py", left, right, settings=settings)
    assert report.verdict is DiffVerdict.EQUIVALENT, report
    said = {found.target.name: found.invalid for found in report.invalid}
    assert said.keys() == INVALID.keys()
    for name, (_, words) in INVALID.items():
        assert words in said[name]


def test_an_endless_loop_on_one_side_is_a_difference(compare):
    left = "def f(n):\n    return n\n"
    right = "def f(n):\n    while n < 0:\n        pass\n    return n\n"
    (found,) = compare({"test_m.py": TESTS}, "m.py", left, right).discrepancies
    assert [outcome.ended for outcome in found.outcomes] == ["returned", "timeout"]


def test_a_version_that_ends_its_process_is_told_from_one_that_returns(compare):
    left = "import os\n\n\ndef f(n):\n    return n\n"
    right = "import os\n\n\ndef f(n):\n    if n < 0:\n        os._exit(0)\n    return n\n"
    (found,) = compare({"test_m.py": TESTS}, "m.py", left, right).discrepancies
    assert [outcome.ended for outcome in found.outcomes] == ["returned", "died"]


def test_outcomes_that_the_code_under_test_makes_up_are_not_believed(compare):
    left = "import os\n\n\ndef f(n):\n    return n\n"
    lie = 'b\'{"k":"outcome","o":{"value":0}}\\n\''
    forge = f"for i in range(3, 20):\n            try:\n                os.write(i, {lie})\n"
    forge += "            except OSError:\n                pass\n"
    right = (
        f"import os\n\n\ndef f(n):\n    if n < 0:\n        {forge}        return 5\n    return n\n"
    )
    (found,) = compare({"test_m.py": TESTS}, "m.py", left, right).discrepancies
    assert found.outcomes[1].value == 5


def test_the_suite_may_tell_versions_apart_by_itself(compare):
    left = "def f(n):\n    return n\n"
    report = compare({"test_m.py": TESTS}, "m.py", left, "def f(n):\n    return n % 10\n")
    assert [each.test for each in report.suite] == ["test_m.py::test_small"]
    assert report.suite[0].outcomes == (TestOutcome.PASSED, TestOutcome.FAILED)


def test_what_no_test_reaches_is_called_by_its_type_hints(compare):
    left = (
        "def f(n):\n    return n\n\n\ndef g(words: list[str]) -> str:\n    return ' '.join(words)\n"
    )
    right = left.replace("' '.join(words)", "' '.join(filter(None, words))")
    (found,) = compare({"test_m.py": TESTS}, "m.py", left, right).discrepancies
    assert found.target.name == "g"
    assert "" in found.call.arguments[0]


def test_nothing_to_call_is_undecided(compare):
    left = "def f(n):\n    return n\n\n\ndef g(words):\n    return words\n"
    right = left.replace("return words", "return words * 2")
    report = compare({"test_m.py": TESTS}, "m.py", left, right)
    assert report.verdict is DiffVerdict.UNDECIDED
    assert report.executions == 0


def test_several_versions_are_compared_at_once(compare):
    bodies = ("n if n > 0 else 0", "max(n, 0)", "abs(n)")
    texts = [f"def f(n):\n    return {body}\n" for body in bodies]
    (found,) = compare({"test_m.py": TESTS}, "m.py", *texts).discrepancies
    values = [outcome.value for outcome in found.outcomes]
    assert values[0] == values[1] != values[2]
    assert found.witness.passes == ("left", "right")


def test_a_unittest_suite_is_traced_too(compare):
    tests = """import unittest

import m


class Small(unittest.TestCase):
    def test_f(self):
        self.assertEqual(m.f(3), 3)
"""
    left, right = "def f(n):\n    return n\n", "def f(n):\n    return abs(n)\n"
    report = compare({"test_m.py": tests}, "m.py", left, right, kind=RunnerKind.UNITTEST)
    assert report.verdict is DiffVerdict.DIVERGENT
    assert report.observed == 1


def test_the_same_seed_finds_the_same(compare):
    left = "def f(n):\n    return n\n"
    right = "def f(n):\n    return n if n > -2 else 0\n"
    first, second = (compare({"test_m.py": TESTS}, "m.py", left, right) for _ in range(2))
    assert first.discrepancies[0].call == second.discrepancies[0].call
    assert first.executions == second.executions


def test_a_version_that_dies_at_import_is_a_result(compare):
    left = "import os\n\n\ndef f(n):\n    return n\n"
    right = "import os\n\nos._exit(3)\n\n\ndef f(n):\n    return n + 1\n"
    report = compare({"test_m.py": TESTS}, "m.py", left, right)
    assert report.verdict is DiffVerdict.DIVERGENT
    assert "test_small" in report.reason


def test_a_flaky_test_does_not_tell_versions_apart(compare):
    flaky = "import os, sys, time\n\nimport m\n\n\ndef test_flaky():\n    m.f(1)\n"
    flaky += "    assert sys.gettrace() is None or m.NAME == 'left'\n"
    left = "NAME = 'left'\n\n\ndef f(n):\n    return n\n"
    right = "NAME = 'right'\n\n\ndef f(n):\n    return n + 0\n"
    report = compare({"test_m.py": flaky}, "m.py", left, right)
    assert report.suite == ()
    assert report.verdict is not DiffVerdict.DIVERGENT, report


def test_what_is_slow_under_observation_is_compared_unobserved(compare):
    left = "def f(n):\n    total = 0\n    for i in range(40_000):\n        total += n\n"
    left += "    return n if total >= 0 else 0\n"
    right = left.replace("n if total >= 0", "n if total > 0")
    report = compare({"test_m.py": TESTS}, "m.py", left, right, settings=replace(QUICK, inputs=40))
    assert report.executions >= QUICK.minimum


def test_what_is_chance_on_both_sides_hides_no_difference_beside_it(compare):
    text = """import os


class Box:
    def __init__(self):
        self.mark = None


def f(box, n):
    box.mark = os.urandom(4)
    return n * 2
"""
    tests = "import m\n\n\ndef test_f():\n    assert m.f(m.Box(), 2) == 4\n"
    report = compare({"test_m.py": tests}, "m.py", text, text.replace("n * 2", "n + 2"))
    (found,) = report.discrepancies
    assert found.aspects == (Aspect.VALUE,)
    assert found.witness.is_proven, found.witness.text


def test_the_test_of_what_is_printed_before_an_exit_is_proven(compare):
    text = "import sys\n\n\ndef f(n):\n    print('usage')\n    sys.exit(n)\n"
    body = "    with pytest.raises(SystemExit):\n        m.f(2)\n"
    tests = f"import m\nimport pytest\n\n\ndef test_f():\n{body}"
    report = compare({"test_m.py": tests}, "m.py", text, text.replace("usage", "use"))
    (found,) = report.discrepancies
    assert found.aspects == (Aspect.OUTPUT,)
    assert found.witness.is_proven, found.witness.text


def test_an_object_without_attributes_can_be_expected(compare):
    text = "class One:\n    __slots__ = ()\n\n\ndef f(n):\n    return [One()] if n < 9 else []\n"
    suite = "import m\n\n\ndef test_f():\n    assert m.f(10) != m.f(3)\n"
    report = compare({"test_m.py": suite}, "m.py", text, text.replace("< 9", "< 5"))
    found = report.discrepancies[0]
    assert found.witness is not None
    assert "('One', {})" in "".join(w.text for w in (found.witness, *found.alternatives))
    assert all(w.is_proven for w in (found.witness, *found.alternatives))


def test_a_classmethod_around_a_classmethod_is_no_difference(compare):
    text = "class C:\n    @classmethod\n    def f(cls, n):\n        return n + 1\n"
    twice = text.replace("    @classmethod\n", "    @classmethod\n    @classmethod\n")
    suite = "import m\n\n\ndef test_f():\n    assert m.C.f(3) == 4\n"
    report = compare({"test_m.py": suite}, "m.py", text, twice.replace("n + 1", "1 + n"))
    assert report.verdict is DiffVerdict.EQUIVALENT, report.reason


def test_a_module_that_its_package_hides_behind_a_function_is_still_tested(compare):
    text = "def area(side):\n    return side * side if side > 5 else 9\n"
    suite = "from pkg import area\n\n\ndef test_area():\n    assert area(3) == 9\n"
    files = {"pkg/__init__.py": "from pkg.area import area\n", "test_area.py": suite}
    report = compare(files, "pkg/area.py", text, text.replace("> 5", "> 6"))
    found = report.discrepancies[0]
    assert found.witness is not None
    assert "from pkg.area import area\n" in found.witness.text
    assert found.witness.is_proven
