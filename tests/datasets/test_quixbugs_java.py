"""QuixBugs' Java programs become subjects without their correct versions."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind
from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets import quixbugs_java
from support.tiny_benchmarks import QUIXBUGS, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "QuixBugs", QUIXBUGS)


def test_subject_is_the_program_with_its_tests(root: Path, tmp_path: Path) -> None:
    dataset = pickle.loads(pickle.dumps(quixbugs_java.load(root, tmp_path / "work")))
    (bug,) = dataset.bugs
    assert (bug.name, bug.test_command.kind) == ("gcd", RunnerKind.JUNIT)
    assert bug.source_globs == ("programs/java_programs/GCD.java",)
    assert bug.test_command.argv[-1] == "java_testcases.junit.GCD_TEST"
    files = {p.relative_to(bug.subject).as_posix() for p in Path(bug.subject).rglob("*.*")}
    tests = "tests/java_testcases/junit/GCD_TEST.java"
    assert files == {"programs/java_programs/GCD.java", tests}
    assert "timeout" not in Path(bug.subject, tests).read_text()


def test_the_correct_version_is_a_patch_of_the_program_alone(root: Path, tmp_path: Path) -> None:
    dataset = quixbugs_java.load(root, tmp_path / "work", names=["gcd"])
    patch = dataset.reference_patch(dataset.bugs[0])
    assert patch is not None
    changed = [line for line in patch.splitlines() if line[:1] in "+-"]
    assert [line.split(":")[-1].strip() for line in changed[2:]] == [
        "gcd(a % b, b);",
        "gcd(b, a % b);",
    ]


def test_a_program_that_does_not_compile_says_so_when_it_is_prepared(
    root: Path, tmp_path: Path
) -> None:
    (root / "java_programs" / "GCD.java").write_text(
        "package java_programs; public class GCD { int"
    )
    dataset = quixbugs_java.load(root, tmp_path / "work")
    with pytest.raises(EnvironmentUnusableError, match=r"GCD\.java"):
        dataset.prepare(dataset.bugs[0])


def test_wrong_roots_and_names_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no QuixBugs checkout"):
        quixbugs_java.load(tmp_path, tmp_path / "work")
    with pytest.raises(BadInputError, match="no Java program named lcm"):
        quixbugs_java.load(root, tmp_path / "work", names=["lcm"])
