"""HumanEvalFix in Java and JavaScript: one test for each expected result, run for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.core.report import TestOutcome
from apr.datasets import humanevalfix
from apr.datasets.humanevalfix_java import split_results
from apr.datasets.humanevalfix_javascript import split_asserts, write_subject
from support.tiny_benchmarks import JAVA_ROW, JAVASCRIPT_ROW, write_rows
from validation.runners.junit import read_junit

PASSED, FAILED, ERROR = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR


def run(program: str, test: str, folder: Path) -> tuple[int, list[TestOutcome]]:
    """The exit status of the tests' command, and the outcomes that it reports."""
    command = write_subject(program, test, folder)
    done = subprocess.run(command.argv, cwd=folder, capture_output=True, timeout=60)
    (report,) = command.junit_globs
    results = read_junit([(folder / report).read_bytes()])
    return done.returncode, [result.outcome for result in results]


def test_each_java_result_is_a_junit_test_after_what_precedes_it() -> None:
    text = split_results(JAVA_ROW["test"])
    assert text.count("@org.junit.Test") == 2
    assert text.count("Solution s = new Solution();") == 2
    assert "assertTrue(s.larger(3, 3) == 3);" in text
    assert "contains" not in text


def test_java_checks_of_another_shape_stay_one_test() -> None:
    loop = "for (int i = 0; i < 9; i++) { if (bad(i)) { throw new AssertionError(); } }"
    main = f"public class Main {{ public static void main(String[] args) {{ {loop} }} }}"
    assert split_results(main).count("@org.junit.Test") == 1
    assert "Main.main(new String[0]);" in split_results(main)
    with pytest.raises(BadInputError, match="no method main"):
        split_results("public class Main { }")


def test_javascript_assertions_are_tests_of_their_own(tmp_path: Path) -> None:
    declared, test = JAVASCRIPT_ROW["declaration"], JAVASCRIPT_ROW["test"]
    buggy = declared + JAVASCRIPT_ROW["buggy_solution"]
    assert run(buggy, test, tmp_path) == (1, [FAILED, PASSED])
    right = declared + JAVASCRIPT_ROW["canonical_solution"]
    assert run(right, test, tmp_path) == (0, [PASSED, PASSED])
    hangs = "const larger = (a, b) => {\n  while (a > b) {}\n  return a;\n}\n"
    assert run(hangs, test, tmp_path) == (1, [ERROR, PASSED])


def test_javascript_assertions_inside_a_loop_are_one_test() -> None:
    test = "function t() {\n  for (const n of [1, 2]) { console.assert(f(n) === n) }\n}\nt()\n"
    assert split_asserts(test).count('"test_') == 1
    with pytest.raises(BadInputError, match="no function that asserts"):
        split_asserts("const n = 1\n")


def test_canonical_solutions_are_patches_and_in_no_subject(tmp_path: Path) -> None:
    for language, row in (("java", JAVA_ROW), ("javascript", JAVASCRIPT_ROW)):
        data = write_rows(tmp_path / f"{language}.jsonl", row)
        dataset = humanevalfix.load(data, tmp_path / language, language=language)
        (bug,) = dataset.bugs
        assert dataset.name == f"humanevalfix-{language}"
        patch = dataset.reference_patch(bug)
        assert patch is not None
        assert "a > b ? a : b;" in patch
        texts = [p.read_text() for p in Path(bug.subject).rglob("*.*") if p.is_file()]
        assert not any("a > b" in text for text in texts)
