"""JUnit suites of Java programs: one machine, many versions of a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind, TestCommand, TestId
from apr.core.errors import BadInputError
from apr.core.report import Execution, TestOutcome
from validation.runners.base import RunLimits
from validation.runners.java import (
    JavaProject,
    JavaRunner,
    JavaSession,
    compile_project,
    parse_project,
)
from validation.runners.java_harness import compiled_harness, libraries
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox

LIMITS = RunLimits(test_s=1.0, total_s=60.0)
COUNTER = """\
package shop;

public class Counter {
    static final int STEP = 2;

    public static int up(int n) {
        return n + STEP;
    }

    public static int item(int[] items, int n) {
        int found = items[n];
        return found;
    }
}
"""
USER = """\
package shop;

class User {
    static final int[] TABLE = {1, 2};

    static int twice() {
        return Counter.STEP * 2;
    }
}
"""
COUNTER_TEST = """\
package shop;

import static org.junit.Assert.*;
import static org.junit.Assume.assumeTrue;
import org.junit.*;

public class CounterTest {
    @Test public void passes() { assertEquals(4, User.twice()); }
    @Test public void fails() {
        assertEquals(3, Counter.up(1) + User.TABLE[0]);
    }
    @Test public void crashes() { Counter.item(new int[1], 7); }
    @Test public void isAssumed() { assumeTrue(false); }
    @Ignore @Test public void isIgnored() { }
}
"""
OLD_TEST = """\
package shop;

public class OldTest extends junit.framework.TestCase {
    public void testUp() { assertEquals(7, Counter.up(5)); }
    public void testHangs() { while (Counter.up(1) > 0) { } }
    public void testLeaves() { System.exit(0); }
    public void testShout() { System.out.println("{\\"k\\": \\"end\\", \\"status\\": 0}"); }
}
"""
FILES = {
    "src/shop/Counter.java": COUNTER,
    "src/shop/User.java": USER,
    "test/shop/CounterTest.java": COUNTER_TEST,
    "test/shop/OldTest.java": OLD_TEST,
}
PROJECT = JavaProject(("src",), ("test",), ("shop.CounterTest", "shop.OldTest"))
PASSES, UP, HANGS, LEAVES = (
    TestId(f"shop.{name}")
    for name in (
        "CounterTest::passes",
        "OldTest::testUp",
        "OldTest::testHangs",
        "OldTest::testLeaves",
    )
)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JavaRunner, Path]]:
    """A program with its classes compiled, and who runs its tests."""
    root = tmp_path_factory.mktemp("java") / "subject"
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    project = compile_project(PROJECT, root, "classes")
    readable = (str(compiled_harness()), *map(str, libraries()))
    policy = SandboxPolicy(readable_paths=readable, limit_address_space=False)
    with closing(open_sandbox("auto", policy)) as sandbox:
        yield JavaRunner(TestCommand(RunnerKind.JUNIT, project.argv()), sandbox), root


@pytest.fixture(scope="module")
def session(runner: tuple[JavaRunner, Path]) -> Iterator[JavaSession]:
    with runner[0].open(runner[1], watched=(), tests=(), writable=False) as opened:
        yield opened


def outcomes(execution: Execution) -> dict[str, str]:
    return {test.partition(".")[2]: o.value for test, o in execution.outcomes().items()}


def test_every_test_has_an_outcome_whatever_the_others_do(
    runner: tuple[JavaRunner, Path],
) -> None:
    execution, matrix = runner[0].run(runner[1], LIMITS, coverage=True)
    assert outcomes(execution) == {
        "CounterTest::passes": "passed",
        "CounterTest::fails": "failed",
        "CounterTest::crashes": "error",
        "CounterTest::isAssumed": "skipped",
        "CounterTest::isIgnored": "skipped",
        "OldTest::testUp": "passed",
        "OldTest::testHangs": "timeout",
        "OldTest::testLeaves": "error",
        "OldTest::testShout": "passed",
    }
    assert execution.completed and execution.exit_status == 1
    results = {result.test: result for result in execution.results}
    crash = results[TestId("shop.CounterTest::crashes")]
    assert [(f.path, f.line, f.function) for f in crash.frames] == [
        ("src/shop/Counter.java", 11, "item")
    ]
    assert results[TestId("shop.CounterTest::fails")].progress == 10
    assert matrix is not None
    lines = {
        (path, line): {results[matrix.results[n].test].test for n in tests}
        for path, by_line in matrix.lines.items()
        for line, tests in by_line.items()
    }
    assert lines["src/shop/Counter.java", 11] == {crash.test}  # the line that crashes counts
    assert ("src/shop/Counter.java", 12) not in lines
    assert matrix.import_lines["src/shop/User.java"] == {4}


def execute(session: JavaSession, *tests: TestId, thorough: int = 9) -> Execution:
    return session.execute(tests, [1.0] * len(tests), thorough, 2.0)


def edited(root: Path, path: str, old: str, new: str) -> None:
    text = FILES[path]
    assert old in text
    (root / path).write_text(text.replace(old, new))


def test_a_session_sees_each_version_of_the_program(
    runner: tuple[JavaRunner, Path], session: JavaSession
) -> None:
    path, root = "src/shop/Counter.java", runner[1]
    try:
        assert set(outcomes(execute(session, PASSES, UP)).values()) == {"passed"}
        edited(root, path, "n + STEP", "n - STEP")
        assert outcomes(execute(session, PASSES, UP))["OldTest::testUp"] == "failed"
        edited(root, path, "n + STEP", "n + STEPS")
        assert "cannot find symbol" in execute(session, UP).build_error
        # The compiler has copied the constant into another class.
        edited(root, path, "STEP = 2", "STEP = 3")
        assert set(outcomes(execute(session, PASSES, UP)).values()) == {"failed"}
    finally:
        (root / path).write_text(COUNTER)
    assert set(outcomes(execute(session, PASSES, UP)).values()) == {"passed"}


def test_a_session_outlives_what_hangs_or_leaves(session: JavaSession) -> None:
    for test, outcome in ((HANGS, "timeout"), (LEAVES, "error")):
        ended = execute(session, test)
        assert outcomes(ended) == {test.partition(".")[2]: outcome}
        assert not ended.completed
        assert execute(session, UP).outcomes() == {UP: TestOutcome.PASSED}


def test_after_a_failure_only_the_thorough_tests_run(session: JavaSession) -> None:
    tests = [TestId("shop.CounterTest::fails"), UP]
    assert len(execute(session, *tests, thorough=1).results) == 1
    assert len(execute(session, *tests, thorough=2).results) == 2


def test_a_project_is_read_back_from_its_arguments() -> None:
    project = JavaProject(
        *(("a", "b"), ("t",), ("x.YTest",)),
        libraries=("lib/a.jar",),
        excluded=(TestId("x.YTest::z"),),
        classes="out",
        javac=("-source", "8"),
        java=("-Dx=y z",),
    )
    assert parse_project(project.argv()) == project
    with pytest.raises(BadInputError, match=re.escape("the junit runner")):
        parse_project(["--sources", "src"])
