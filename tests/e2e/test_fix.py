"""`apr fix` on real bugs: the diff it prints is applied and judged from outside."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.e2e import BUGS, DEMO, snapshot


def run_tests(folder: Path, *argv: str) -> int:
    """The exit status of the subject's suite, run without APR."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *argv]
    variables = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, timeout=120)
    return done.returncode


def apply(folder: Path, diff: str) -> None:
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff.encode(), check=True, timeout=30)


@pytest.mark.parametrize("name", ["src_layout", "infinite_loop"])
def test_a_bug_is_fixed_and_the_diff_applies(apr, copy_bug, name: str) -> None:
    subject = copy_bug(name)
    before = snapshot(subject)
    done = apr("fix", subject, "--test-timeout", 1, "--candidates", 500)
    assert done.returncode == 0, done.stderr
    assert snapshot(subject) == before
    apply(subject, done.stdout)
    assert run_tests(subject) == 0


def test_a_unittest_suite_is_repaired_too(apr, copy_bug) -> None:
    subject = copy_bug("unittest_based")
    test = "python -m unittest discover -s tests -t ."
    ranked = apr("localize", subject, "--test", test, "--format", "json")
    assert {place["path"] for place in json.loads(ranked.stdout)["locations"]} == {"roman.py"}
    done = apr("fix", subject, "--test", test, "--location", "roman.py:10")
    assert done.returncode == 0, done.stderr
    apply(subject, done.stdout)
    command = [sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."]
    assert subprocess.run(command, cwd=subject, capture_output=True, timeout=60).returncode == 0


def test_a_bug_that_needs_two_edits_is_fixed_by_two_hunks(apr, tmp_path: Path) -> None:
    subject = tmp_path / "stockroom"
    shutil.copytree(DEMO / "stockroom", subject)
    done = apr("fix", DEMO / "bugs" / "returns.bug.toml", "--format", "json")
    assert done.returncode == 0, done.stderr
    (patch,) = json.loads(done.stdout)["patches"]
    assert patch["diff"].count("\n@@ ") + patch["origin"].count(" + ") >= 2
    apply(subject, patch["diff"])
    assert run_tests(subject, "tests/test_returns.py") == 0


def test_given_hunks_are_mended_one_after_the_other(apr, tmp_path: Path) -> None:
    subject = tmp_path / "spans"
    subject.mkdir()
    (subject / "spans.py").write_text(
        "def span(items):\n    return max(items) + min(items)\n\n\n"
        "def first(items):\n    return items[1]\n"
    )
    (subject / "test_spans.py").write_text(
        "from spans import first, span\n\n\n"
        "def test_span():\n    assert span([4, 9]) == 5\n\n\n"
        "def test_first():\n    assert first([4, 9]) == 4\n"
    )
    where = ["--location", "spans.py:2", "--location", "spans.py:6"]
    done = apr("fix", subject, "--search", "multimend", *where)
    assert done.returncode == 0, done.stderr
    told = re.search(r"2 hunks: judged (\d+) of ([\d,]+) combinations", done.stderr)
    assert told is not None, done.stderr
    assert int(told[1]) * 10 < int(told[2].replace(",", ""))
    apply(subject, done.stdout)
    assert run_tests(subject) == 0


@pytest.mark.parametrize("name", ["crlf_file", "no_final_newline"])
def test_bytes_that_the_patch_does_not_name_stay_as_they_are(apr, copy_bug, name: str) -> None:
    subject = copy_bug(name)
    before = {path: data for path, (data, _) in snapshot(subject).items()}
    done = apr("fix", subject, "--apply")
    assert done.returncode == 0, done.stderr
    after = {path: data for path, (data, _) in snapshot(subject).items()}
    changed = [path for path in before if before[path] != after[path]]
    assert len(changed) == 1
    old, new = (texts[changed[0]].splitlines(keepends=True) for texts in (before, after))
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    assert old[-1].endswith(b"\n") == new[-1].endswith(b"\n")
    assert run_tests(subject) == 0


def test_the_same_seed_finds_the_same_patch_and_another_sandbox_too(apr, copy_bug) -> None:
    subject = copy_bug("wrong_operator")
    first = apr("fix", subject, "--seed", 7)
    again = apr("fix", subject, "--seed", 7, "--jobs", 1, "--sandbox", "process")
    assert first.stdout == again.stdout != ""
    apply(subject, first.stdout)
    assert run_tests(subject) == 0


def test_only_the_named_tests_are_repaired_when_other_bugs_are_there(apr, tmp_path: Path) -> None:
    subject = tmp_path / "stockroom"
    shutil.copytree(DEMO / "stockroom", subject)
    done = apr("fix", DEMO / "bugs" / "tier-boundary.bug.toml")
    assert done.returncode == 0, done.stderr
    apply(subject, done.stdout)
    assert run_tests(subject, "tests/test_pricing.py") == 0
    assert run_tests(subject, "tests/test_returns.py") == 1


def test_output_goes_to_a_file_and_the_run_can_be_looked_at_later(apr, copy_bug, tmp_path) -> None:
    subject = copy_bug("off_by_one")
    before = snapshot(subject)
    target = tmp_path / "fix.diff"
    done = apr("fix", subject, "--output", target, "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert snapshot(subject) == before
    shown = apr("show", "last", "--format", "diff")
    assert shown.stdout == target.read_text()
    assert json.loads(apr("runs", "--format", "json").stdout)
    refused = apr("answer", "last", "1", "1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "has not compared any patches" in refused.stderr
    assert "plausible" in apr("tree", "last").stdout
    tree = json.loads(apr("tree", "last", "--format", "json").stdout)
    assert tree["nodes"][0]["parent"] is None
    apply(subject, target.read_text())
    assert run_tests(subject) == 0


def test_no_fix_within_the_budget_is_exit_code_one_and_prints_no_diff(apr, copy_bug) -> None:
    subject = copy_bug("two_edits")
    done = apr("fix", subject, "--candidates", 3)
    assert (done.returncode, done.stdout) == (1, "")


def test_given_location_is_where_every_patch_is(apr, copy_bug) -> None:
    subject = copy_bug("wrong_operator")
    source = next(subject.glob("*.py"))
    lines = source.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.lstrip().startswith("return"))
    done = apr("fix", subject, "--location", f"{source.name}:{line}", "--candidates", 12)
    assert done.returncode in (0, 1), done.stderr
    nodes = json.loads(apr("tree", "last", "--format", "json").stdout)["nodes"]
    single = [node["hunks"] for node in nodes if node["depth"] == 1]
    assert single
    assert all(abs(hunk["first"] - line) <= 1 for hunks in single for hunk in hunks)


def test_localize_names_the_faulty_statement_first(apr, copy_bug) -> None:
    subject = copy_bug("off_by_one")
    done = apr("localize", subject, "--format", "json")
    assert done.returncode == 0, done.stderr
    top = json.loads(done.stdout)["locations"][:3]
    patch = (BUGS / "off_by_one" / "correct.patch").read_text()
    assert any(f"--- a/{place['path']}" in patch for place in top)
    assert apr("localize", subject).stdout


JAVA = """public class Calc {
    static int max(int a, int b) {
        return a < b ? a : b;
    }
}
"""
JAVA_TEST = """import java.nio.file.*;

public class CalcTest {
    static String test(String name, boolean ok) {
        return "<testcase classname='CalcTest' name='" + name + "'>"
            + (ok ? "" : "<failure message='wrong'/>") + "</testcase>";
    }
    public static void main(String[] args) throws Exception {
        String cases = test("equal", Calc.max(2, 2) == 2) + test("larger", Calc.max(1, 5) == 5);
        Files.createDirectories(Path.of("reports"));
        Files.writeString(Path.of("reports/TEST-a.xml"), "<testsuite>" + cases + "</testsuite>");
        System.exit(cases.contains("failure") ? 1 : 0);
    }
}
"""


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a Java compiler")
def test_a_java_bug_is_fixed_through_junit_xml(apr, tmp_path: Path) -> None:
    subject = tmp_path / "java"
    subject.mkdir()
    (subject / "Calc.java").write_text(JAVA)
    (subject / "CalcTest.java").write_text(JAVA_TEST)
    (subject / "check.sh").write_text("javac -d out *.java && java -cp out CalcTest\n")
    done = apr(
        "fix", subject, "--test", "sh check.sh", "--junit", "reports/*.xml",
        "--location", "Calc.java:3", "--candidates", 60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    apply(subject, done.stdout)
    assert subprocess.run(["sh", "check.sh"], cwd=subject, timeout=60).returncode == 0
