"""How runs end: broken fixtures, interruptions, and tests that take their process down."""

from __future__ import annotations

import pytest

from apr.core.bug import RunnerKind, TestId
from apr.core.report import Execution, TestOutcome
from support.harness_target import RIGHT, MakeTarget
from validation.runners.base import RunLimits

BREAKING_OUT = (
    "raise KeyboardInterrupt",
    "pytest.exit('x', returncode=0)",
    "import os; os._exit(0)",
)
CASE = "import unittest\nfrom program import double\n"


def _run_unittest(make_target: MakeTarget, text: str) -> Execution:
    files = {"program.py": RIGHT, "tests/__init__.py": "", "tests/test_it.py": CASE + text}
    return make_target(files, RunnerKind.UNITTEST, triggers=()).plain(RIGHT)


def _run_pytest(make_target: MakeTarget, text: str) -> Execution:
    files = {"program.py": RIGHT, "test_it.py": text}
    return make_target(files, triggers=()).plain(RIGHT)


TWO_TESTS = """
class First(unittest.TestCase):
    def test_a(self): pass
    def test_b(self): pass
{hook}
class Second(unittest.TestCase):
    def test_c(self): pass
"""


@pytest.mark.parametrize(
    ("hook", "failed"),
    [
        ("    @classmethod\n    def tearDownClass(cls): 1 / 0", {"First.test_b"}),
        ("    @classmethod\n    def setUpClass(cls): 1 / 0", {"First.test_a", "First.test_b"}),
        ("    def tearDown(self): 1 / 0", {"First.test_a", "First.test_b"}),
        ("def tearDownModule(): 1 / 0", {"Second.test_c"}),
        ("def setUpModule(): 1 / 0", {"First.test_a", "First.test_b", "Second.test_c"}),
    ],
    ids=["tearDownClass", "setUpClass", "tearDown", "tearDownModule", "setUpModule"],
)
def test_broken_unittest_fixtures_fail_tests(
    make_target: MakeTarget, hook: str, failed: set[str]
) -> None:
    execution = _run_unittest(make_target, TWO_TESTS.format(hook=hook))
    names = {
        r.test.removeprefix("tests.test_it.") for r in execution.results if r.outcome.is_failure
    }
    assert names == failed
    assert (execution.completed, execution.exit_status, execution.tampering) == (True, 1, "")


def test_a_class_that_is_skipped_in_its_set_up_is_reported(make_target: MakeTarget) -> None:
    hook = "    @classmethod\n    def setUpClass(cls): raise unittest.SkipTest('not here')"
    outcomes = _run_unittest(make_target, TWO_TESTS.format(hook=hook)).outcomes()
    assert outcomes[TestId("tests.test_it.First.test_a")] is TestOutcome.SKIPPED


@pytest.mark.parametrize("ending", ["raise KeyboardInterrupt", "import os; os._exit(0)"])
def test_a_unittest_that_breaks_out_fails_and_hides_no_other(
    make_target: MakeTarget, ending: str
) -> None:
    text = TWO_TESTS.format(hook="").replace(
        "def test_b(self): pass", f"def test_b(self): {ending}"
    )
    execution = _run_unittest(make_target, text)
    names = {result.test.rpartition(".")[2]: result.outcome for result in execution.results}
    assert names == {
        "test_a": TestOutcome.PASSED,
        "test_b": TestOutcome.ERROR,
        "test_c": TestOutcome.PASSED,
    }


@pytest.mark.parametrize(
    "ending",
    ["raise KeyboardInterrupt", "pytest.exit('x', returncode=0)", "import os; os._exit(0)"],
)
def test_a_pytest_that_breaks_out_fails_and_hides_no_other(
    make_target: MakeTarget, ending: str
) -> None:
    text = f"import pytest\ndef test_a(): pass\ndef test_b(): {ending}\ndef test_c(): pass\n"
    execution = _run_pytest(make_target, text)
    assert {result.test: result.outcome for result in execution.results} == {
        "test_it.py::test_a": TestOutcome.PASSED,
        "test_it.py::test_b": TestOutcome.ERROR,
        "test_it.py::test_c": TestOutcome.PASSED,
    }
    assert execution.completed


@pytest.mark.parametrize(
    "ending",
    ["raise KeyboardInterrupt", "pytest.exit('x', returncode=0)", "import os; os._exit(0)"],
)
def test_a_run_whose_last_test_breaks_out_is_complete(make_target: MakeTarget, ending: str) -> None:
    """Else no patch could be confirmed while an unrelated test takes its process down."""
    execution = _run_pytest(
        make_target, f"import pytest\ndef test_a(): pass\ndef test_b(): {ending}\n"
    )
    assert (execution.completed, execution.left_over) == (True, 0)
    assert execution.outcomes()[TestId("test_it.py::test_b")] is TestOutcome.ERROR


def test_leaving_after_the_last_test_is_not_complete(make_target: MakeTarget) -> None:
    text = (
        "import os, pytest\n@pytest.fixture(scope='session', autouse=True)\ndef end():\n    yield\n"
    )
    text += "    import threading\n    threading.Timer(0.1, os._exit, (0,)).start()\n"
    hook = "import os, time\ndef pytest_sessionfinish(): os._exit(0)\n"
    files = {"program.py": RIGHT, "conftest.py": hook, "test_it.py": "def test_a(): pass\n"}
    execution = make_target(files, triggers=()).plain(RIGHT)
    assert not execution.completed
    assert execution.exit_status is None


def test_a_suite_out_of_time_is_not_complete(make_target: MakeTarget) -> None:
    text = "import time\ndef test_a(): pass\ndef test_b(): time.sleep(30)\ndef test_c(): pass\n"
    target = make_target({"program.py": RIGHT, "test_it.py": text}, triggers=())
    execution = target.runner.run(target.base, RunLimits(test_s=20.0, total_s=3.0))[0]
    assert execution.timed_out
    assert not execution.completed
    assert execution.left_over == 1


def test_slow_collection_is_waited_for_module_by_module(make_target: MakeTarget) -> None:
    slow = "import time\ntime.sleep(2)\ndef test_it(): pass\n"
    files = {"program.py": RIGHT, **{f"test_{name}.py": slow for name in "abc"}}
    target = make_target(files, triggers=())
    limits = RunLimits(test_s=0.1, total_s=60.0)
    assert limits.idle_s < 3 * 2
    assert target.runner.run(target.base, limits)[0].completed


PLUGIN = {
    "program.py": "def double(x):\n    return x + x + 1\n",
    "conftest.py": "pytest_plugins = ['program']\n",
    "test_it.py": "from program import double\ndef test_one():\n    assert double(1) == 2\n",
}


def test_a_source_file_that_is_a_plugin_is_forked_before(make_target: MakeTarget) -> None:
    """pytest imports plugins through its own loader, which rewrites their assertions."""
    target = make_target(PLUGIN, triggers=("test_it.py::test_one",))
    tests = [TestId("test_it.py::test_one")]
    root = target.write({})
    with target.runner.open(root, watched=["program.py"], tests=tests, writable=True) as session:
        outcomes = []
        for text in (PLUGIN["program.py"], RIGHT, "def double(\n"):
            (root / "program.py").write_text(text)
            outcomes.append(session.execute(tests, [2.0], 1, 5.0))
    assert [target.passes(execution) for execution in outcomes] == [False, True, False]
    assert "SyntaxError" in outcomes[2].build_error


def test_a_source_file_loaded_before_the_harness_is_run_in_a_new_process_each_time(
    make_target: MakeTarget,
) -> None:
    early = "import sys; sys.path.insert(0, '.')\nimport program\n"
    files = {**PLUGIN, "conftest.py": "", "site/sitecustomize.py": early}
    target = make_target(
        files, triggers=("test_it.py::test_one",), environment=(("PYTHONPATH", "site"),)
    )
    tests = [TestId("test_it.py::test_one")]
    root = target.write({})
    with target.runner.open(root, watched=["program.py"], tests=tests, writable=True) as session:
        outcomes = []
        for text in (PLUGIN["program.py"], RIGHT, "raise SystemExit\n", RIGHT):
            (root / "program.py").write_text(text)
            outcomes.append(session.execute(tests, [2.0], 1, 5.0))
    assert [target.passes(execution) for execution in outcomes] == [False, True, False, True]
