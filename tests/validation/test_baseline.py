"""What the baseline makes of suites that fail, hang, crash, flicker or are not there."""

from __future__ import annotations

import pytest

from apr.core.bug import RunnerKind
from apr.core.errors import BadInputError, EnvironmentUnusableError, NotReproducedError
from apr.core.report import TestOutcome

ADD = "def add(a, b):\n    return a - b\n"


def test_failing_and_passing_tests_are_told_apart_with_line_and_frames(make_subject) -> None:
    tests = "from calc import add\n\n\ndef test_zero():\n    assert add(1, 0) == 1\n\n\n"
    tests += "def test_sum():\n    assert add(2, 0) == 2\n    assert add(1, 2) == 3\n"
    baseline = make_subject({"calc.py": ADD, "test_calc.py": tests}).reproduce().baseline
    assert baseline.passing == ("test_calc.py::test_zero",)
    (failing,) = baseline.failing
    assert (failing.test, failing.outcome) == ("test_calc.py::test_sum", TestOutcome.FAILED)
    assert failing.progress == 10
    assert "assert -1 == 3" in failing.message
    assert [frame.line for frame in failing.frames] == [10]


def test_coverage_names_the_tests_that_executed_each_line(make_subject) -> None:
    source = "LIMIT = 3\n\n\ndef clip(n):\n    if n > LIMIT:\n        return n\n    return n\n"
    tests = "import clip\n\n\ndef test_low():\n    assert clip.clip(1) == 1\n\n\n"
    tests += "def test_high():\n    assert clip.clip(9) == 3\n"
    matrix = make_subject({"clip.py": source, "test_clip.py": tests}).reproduce().matrix
    assert matrix is not None
    names = [result.test.partition("::")[2] for result in matrix.results]
    lines = {n: {names[i] for i in tests} for n, tests in matrix.lines["clip.py"].items()}
    assert lines == {5: {"test_low", "test_high"}, 6: {"test_high"}, 7: {"test_low"}}
    assert {1, 4} <= matrix.import_lines["clip.py"]


def test_an_endless_loop_is_a_timeout_and_the_other_tests_still_run(make_subject) -> None:
    tests = "def test_hangs():\n    while True:\n        pass\n\n\ndef test_fine():\n    pass\n"
    baseline = make_subject({"test_x.py": tests}).reproduce().baseline
    assert [r.outcome for r in baseline.failing] == [TestOutcome.TIMEOUT]
    assert baseline.passing == ("test_x.py::test_fine",)


def test_a_test_that_swallows_its_timeout_is_a_timeout_and_hides_no_other(make_subject) -> None:
    stubborn = "    while True:\n        try:\n            time.sleep(9)\n"
    stubborn += "        except BaseException:\n            pass\n"
    tests = f"import time\n\n\ndef test_hangs():\n{stubborn}\n\ndef test_fine():\n    pass\n"
    baseline = make_subject({"test_x.py": tests}).reproduce().baseline
    assert [r.outcome for r in baseline.failing] == [TestOutcome.TIMEOUT]
    assert baseline.passing == ("test_x.py::test_fine",)


def test_a_test_that_ends_the_process_is_an_error_and_hides_no_other(make_subject) -> None:
    tests = "import os\n\n\ndef test_exits():\n    os._exit(0)\n\n\ndef test_fine():\n    pass\n"
    baseline = make_subject({"test_x.py": tests}).reproduce().baseline
    assert [(r.test, r.outcome) for r in baseline.failing] == [
        ("test_x.py::test_exits", TestOutcome.ERROR)
    ]
    assert baseline.passing == ("test_x.py::test_fine",)


def test_a_flaky_test_is_neither_trigger_nor_regression_test(make_subject) -> None:
    # The last execution is measured: what differs between executions here differs for sure.
    flaky = "def test_flaky():\n    assert 'coverage' not in sys.modules\n"
    tests = f"import sys\n\n\n{flaky}\n\ndef test_bad():\n    assert False\n"
    baseline = make_subject({"test_x.py": tests}).reproduce().baseline
    assert baseline.flaky == ("test_x.py::test_flaky",)
    assert baseline.trigger_tests == ("test_x.py::test_bad",)
    assert not baseline.writes_workspace


def test_skipped_and_expected_failures_are_kept_apart(make_subject) -> None:
    tests = "import pytest\n\n\ndef test_bad():\n    assert False\n\n\n@pytest.mark.skip\n"
    tests += "def test_skip():\n    pass\n\n\n@pytest.mark.xfail\ndef test_x():\n    assert False\n"
    baseline = make_subject({"test_x.py": tests}).reproduce().baseline
    assert baseline.skipped == ("test_x.py::test_skip", "test_x.py::test_x")


def test_a_failing_fixture_is_an_error_of_its_test(make_subject) -> None:
    tests = "import pytest\n\n\n@pytest.fixture\ndef broken():\n    raise OSError('no')\n\n\n"
    tests += "def test_a(broken):\n    pass\n"
    (failing,) = make_subject({"test_x.py": tests}).reproduce().baseline.failing
    assert (failing.outcome, failing.message) == (TestOutcome.ERROR, "OSError: no")


UNITTEST = """import unittest
from calc import add

class CalcTest(unittest.TestCase):
    def test_zero(self):
        self.assertEqual(add(1, 0), 1)

    def test_sum(self):
        self.assertEqual(add(1, 2), 3)

    def test_parts(self):
        for n in (0, 1):
            with self.subTest(n=n):
                self.assertEqual(add(n, n), 2 * n)


class BrokenFixture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no")

    def test_never(self):
        pass
"""


def test_unittest_outcomes_carry_the_runners_own_names(make_subject) -> None:
    files = {"calc.py": ADD, "test_calc.py": UNITTEST}
    baseline = make_subject(files, RunnerKind.UNITTEST).reproduce().baseline
    assert baseline.passing == ("test_calc.CalcTest.test_zero",)
    outcomes = {r.test.rpartition(".")[2]: r.outcome for r in baseline.failing}
    assert outcomes == {
        "test_sum": TestOutcome.FAILED,
        "test_parts": TestOutcome.FAILED,
        "test_never": TestOutcome.ERROR,
    }


def test_a_command_without_reports_is_judged_by_its_exit_code(make_subject) -> None:
    files = {"main.c": "int x;\n", "check.sh": "grep -q y main.c\n"}
    subject = make_subject(files, RunnerKind.COMMAND, ("sh", "check.sh"))
    (failing,) = subject.reproduce().baseline.failing
    assert (failing.test, failing.outcome) == ("command", TestOutcome.FAILED)


JUNIT = """<testsuite>
<testcase classname="CalcTest" name="ok" time="0.01"/>
<testcase classname="CalcTest" name="bad"><failure message="expected 3">at Calc.java:4</failure>
</testcase><testcase classname="CalcTest" name="off"><skipped/></testcase></testsuite>"""


def test_junit_reports_give_one_outcome_per_test(make_subject) -> None:
    script = f"mkdir -p out; cat > out/TEST-a.xml <<'X'\n{JUNIT}\nX\nexit 1\n"
    files = {"Calc.java": "class Calc {}\n", "check.sh": script}
    subject = make_subject(files, RunnerKind.COMMAND, ("sh", "check.sh"), ("out/*.xml",))
    baseline = subject.reproduce().baseline
    assert baseline.passing == ("CalcTest.ok",)
    assert baseline.skipped == ("CalcTest.off",)
    assert baseline.failing[0].message == "expected 3\nat Calc.java:4"


def test_a_report_left_over_from_earlier_says_nothing(make_subject) -> None:
    files = {"out/TEST-a.xml": JUNIT, "a.c": "int x;\n", "check.sh": "exit 1\n"}
    subject = make_subject(files, RunnerKind.COMMAND, ("sh", "check.sh"), ("out/*.xml",))
    assert [r.test for r in subject.reproduce().baseline.failing] == ["command"]


def test_no_tests_is_bad_input(make_subject) -> None:
    with pytest.raises(BadInputError, match="no tests were found"):
        make_subject({"calc.py": ADD}).reproduce()


def test_nothing_failing_is_bad_input(make_subject) -> None:
    with pytest.raises(NotReproducedError, match="none of the 1 tests fails"):
        make_subject({"test_x.py": "def test_a():\n    pass\n"}).reproduce()


def test_a_syntax_error_in_the_subject_is_bad_input(make_subject) -> None:
    files = {"calc.py": "def add(:\n", "test_calc.py": "import calc\n\ndef test_a():\n    pass\n"}
    with pytest.raises(BadInputError, match=r"does not parse: .*SyntaxError"):
        make_subject(files).reproduce()


def test_tests_that_all_fail_with_the_subjects_own_syntax_error_show_a_bug(make_subject) -> None:
    source = "def parse(text):\n    raise SyntaxError('bad token')\n"
    tests = "from reader import parse\n\n\ndef test_a():\n    assert parse('a') == 'a'\n"
    baseline = make_subject({"reader.py": source, "test_reader.py": tests}).reproduce().baseline
    assert baseline.trigger_tests == ("test_reader.py::test_a",)


@pytest.mark.parametrize(
    ("command", "why"), [("./check.sh", "cannot be executed"), ("./none.sh", "was not found")]
)
def test_a_command_that_cannot_be_started_is_bad_input(
    make_subject, command: str, why: str
) -> None:
    subject = make_subject(
        {"a.c": "int x;\n", "check.sh": "exit 1\n"}, RunnerKind.COMMAND, (command,)
    )
    with pytest.raises(BadInputError, match=why):
        subject.reproduce()


def test_a_missing_dependency_is_an_unusable_environment(make_subject) -> None:
    files = {"test_x.py": "import no_such_library\n\ndef test_a():\n    pass\n"}
    with pytest.raises(EnvironmentUnusableError, match="no_such_library"):
        make_subject(files).reproduce()


def test_a_suite_that_hangs_while_loading_is_an_unusable_environment(make_subject) -> None:
    with pytest.raises(EnvironmentUnusableError, match="hang while they are being loaded"):
        make_subject({"test_x.py": "while True:\n    pass\n"}).reproduce()


def test_the_subject_itself_is_never_written(make_subject) -> None:
    tests = "def test_a():\n    open('trace', 'w').close()\n    assert False\n"
    subject = make_subject({"test_x.py": tests})
    assert subject.reproduce().baseline.writes_workspace
    assert sorted(path.name for path in subject.original.rglob("*")) == ["test_x.py"]
    found = {path.name for path in subject.workspace.root.rglob("*") if path.suffix != ".pyc"}
    assert found == {"test_x.py", "__pycache__"}


def test_bytecode_of_the_first_execution_warms_the_next_ones(make_subject) -> None:
    tests = "import helper\n\ndef test_a():\n    assert False\n"
    subject = make_subject({"test_x.py": tests, "pkg/__init__.py": "", "helper.py": "import pkg"})
    subject.reproduce()
    root = subject.workspace.root
    caches = sorted(path.relative_to(root).parts[:-1] for path in root.rglob("*.pyc"))
    assert caches == [("__pycache__",), ("__pycache__",), ("pkg", "__pycache__")]
    for cache in root.rglob("helper.*.pyc"):
        # The source's modification time and size, in the header, are those of our own copy.
        stamp = int.from_bytes(cache.read_bytes()[8:12], "little")
        assert stamp == int((root / "helper.py").stat().st_mtime)
