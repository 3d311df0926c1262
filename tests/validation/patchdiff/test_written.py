"""Tests that somebody wrote for a comparison: which count, and what their calls are good for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind, TestCommand
from apr.core.ports import Sandbox
from apr.core.report import TestOutcome
from support.patchdiff import LIMITS, QUICK, write_version
from validation.patchdiff.classify import Kind, change_together, classify_test
from validation.patchdiff.engine import Subject, compare_versions
from validation.patchdiff.model import (
    DiffReport,
    DiffVerdict,
    SuiteDifference,
    WrittenDifference,
    WrittenTest,
)
from validation.patchdiff.sessions import Place
from validation.patchdiff.written import View, sort_out

BASE = "def f(n):\n    return n + 1\n"
LEFT = "def f(n):\n    if n == 987654:\n        return 0\n    return n + 1\n"
SUITE = "import m\n\n\ndef test_small():\n    assert m.f(3) == 4\n"
HEAD = "from m import f\n\n\n"
TESTS = {
    "differs": HEAD + "def test_it():\n    assert f(987654) == 0\n",
    "broken": HEAD + "def test_it():\n    assert f(1) == 5\n",
    "alike": HEAD + "def test_it():\n    assert f(1) == 2\n",
    "internal": "import inspect\n" + HEAD + "def test_it():\n    assert inspect.getsource(f)\n",
    "invalid": HEAD + "def test_it(:\n",
}


def compare(sandbox: Sandbox, folder: Path, *texts: str) -> tuple[DiffReport, list[View]]:
    """The report on `LEFT` beside `BASE` with these tests written, and what their author saw."""
    asked: list[View] = []

    def author(views: Sequence[View]) -> list[WrittenTest]:
        asked.extend(views)
        return [WrittenTest(f"test_written_{n}.py", text) for n, text in enumerate(texts)]

    names = {"left": LEFT, "right": BASE, "base": BASE}
    left, right, base = (
        write_version(folder / name / "shop", name, {"m.py": text, "test_m.py": SUITE})
        for name, text in names.items()
    )
    subject = Subject(
        (left, right),
        ({"m.py": LEFT}, {"m.py": BASE}),
        base,
        {"m.py": BASE},
        Place(sandbox, TestCommand(RunnerKind.PYTEST, (), sys.executable)),
        LIMITS,
    )
    return compare_versions(subject, QUICK, author=author), asked


def test_a_written_test_tells_versions_apart_and_others_are_sorted_out(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    report, asked = compare(sandbox, tmp_path, *TESTS.values())
    assert [each.texts for each in asked] == [(LEFT.strip(), BASE.strip())]
    assert asked[0].calls == ("f(3)",)
    assert report.written is not None
    assert report.written.counts == dict.fromkeys(TESTS, 1)
    found = report.written.differences[0]
    assert found.difference.outcomes == (TestOutcome.PASSED, TestOutcome.FAILED)
    assert found.base is TestOutcome.FAILED
    assert not list(tmp_path.rglob("test_written_*"))


def test_the_call_of_a_test_that_expects_nonsense_is_an_input_all_the_same(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    report, _ = compare(sandbox, tmp_path, HEAD + "def test_it():\n    assert f(987654) == 5\n")
    assert report.written is not None
    assert report.written.counts == {"broken": 1}
    assert report.verdict is DiffVerdict.DIVERGENT
    assert "f(987654)" in report.discrepancies[0].question
    assert report.discrepancies[0].witness is not None
    assert report.discrepancies[0].witness.is_proven


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("from unittest import mock\n", "internal"),
        ("import m\n\ndef test_it():\n    assert m._hidden(1)\n", "internal"),
        ("from m._core import f\n", "internal"),
        ("def test_it(monkeypatch):\n    monkeypatch.setattr('m.f', 1)\n", "internal"),
        ("import m\n\ndef test_it():\n    assert m.C().__len__() == 0\n", ""),
        ("def test_it():\n    for _ in range(3):\n        pass\n", ""),
    ],
)
def test_what_names_implementation_details_is_not_run(text: str, reason: str) -> None:
    kept, left_out = sort_out([WrittenTest("test_written_1.py", text)])
    assert dict(left_out) == ({reason: 1} if reason else {})
    assert len(kept) == (not reason)


@pytest.mark.parametrize(
    ("base", "reference", "other", "kind"),
    [
        ("failed", "passed", "failed", Kind.ABSENT),
        ("passed", "passed", "failed", Kind.SUPPLEMENTARY),
        ("failed", "failed", "passed", Kind.SUPPLEMENTARY),
        (None, "passed", "failed", Kind.UNKNOWN),
    ],
)
def test_a_written_test_has_a_kind_by_its_outcome_on_the_base(base, reference, other, kind):
    outcomes = (TestOutcome(reference), TestOutcome(other))
    found = WrittenDifference(
        WrittenTest("test_written_1.py", ""),
        SuiteDifference("test_written_1.py::test_it", outcomes),
        None if base is None else TestOutcome(base),
    )
    assert classify_test(found) is kind
    assert classify_test(found, are_aligned=False) is Kind.UNALIGNED


def test_patches_are_aligned_when_they_change_a_function_in_common() -> None:
    base = {"m.py": "def f():\n    return 1\n\n\ndef g():\n    return 2\n\n\nLIMIT = 3\n"}

    def changed(old: str, new: str) -> dict[str, str | None]:
        return {"m.py": base["m.py"].replace(old, new)}

    ours, same, others = changed("1", "5"), changed("1", "6"), changed("2", "7")
    assert change_together(base, ours, same)
    assert not change_together(base, ours, others)
    assert change_together(base, changed("3", "4"), changed("3", "5"))
