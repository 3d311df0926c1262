"""Whole comparisons in real sandboxes: what is found, how it is proven, and what is no alarm."""

from __future__ import annotations

from validation.patchdiff.model import Aspect, DiffVerdict

TESTS = """import m


def test_small():
    assert m.f(3) == 3
    assert m.f(10) == 10
"""


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
    assert found.confirmation.runs == 3
    assert found.witness.is_proven, found.witness.text
    assert found.witness.passes == ("left",)
    assert found.witness.fails == ("right",)
    assert [each.reached == each.total > 0 for each in report.coverage] == [True, True]
