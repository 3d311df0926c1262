"""A small program with one fault, and hostile versions of it run by the real harness."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from apr.core.bug import TestId
from apr.core.report import Execution, TestOutcome
from validation.runners.base import Guard, RunLimits, TestSession
from validation.runners.python import PythonRunner

NO_PLUGINS = (("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"),)
"""Those of the interpreter that runs these tests are no part of a subject, and take long."""

LIMITS = RunLimits(test_s=5.0, total_s=60.0)
FAULTY = "def double(x):\n    return x + x + 1\n"
RIGHT = "def double(x):\n    return x + x\n"
PYTEST_FILES = {
    "program.py": FAULTY,
    "tests/conftest.py": "import sys; sys.path.insert(0, 'tests')\n",
    "tests/helper.py": "def check(value, wanted):\n    assert value == wanted\n",
    "tests/test_first.py": """\
        from helper import check
        from program import double

        def test_one():
            assert double(1) == 2

        def test_check():
            check(double(2), 4)

        class TestGroup:
            def test_zero(self):
                assert double(0) in (0, 1)

            def test_text(self):
                assert isinstance(double(3), int)
    """,
    "tests/test_second.py": """\
        import unittest
        from program import double

        class DoubleTest(unittest.TestCase):
            def test_large(self):
                self.assertEqual(double(100), 200)

            def test_type(self):
                self.assertIsInstance(double(5), int)
    """,
}
UNITTEST_FILES = {
    "program.py": FAULTY,
    "tests/__init__.py": "",
    "tests/test_second.py": PYTEST_FILES["tests/test_second.py"],
    "tests/test_third.py": """\
        import unittest
        from program import double

        class SmallTest(unittest.TestCase):
            def test_two(self):
                self.assertEqual(double(2), 4)
    """,
}
PYTEST_TRIGGERS = (
    "tests/test_first.py::test_one",
    "tests/test_first.py::test_check",
    "tests/test_second.py::DoubleTest::test_large",
)
UNITTEST_TRIGGERS = (
    "tests.test_second.DoubleTest.test_large",
    "tests.test_third.SmallTest.test_two",
)


@dataclass
class Target:
    """One subject, its runner, and a place to put hostile versions of it.

    All versions appear at the same path inside the sandbox, as a patched workspace does.
    """

    folder: Path
    files: Mapping[str, str]
    runner: PythonRunner
    triggers: tuple[str, ...]
    _count: int = field(default=0)

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def write(self, changes: Mapping[str, str]) -> Path:
        """A version of the subject with some files replaced."""
        self._count += 1
        root = self.folder / f"version{self._count}"
        write_files(root, {**self.files, **changes})
        return root

    def guarded(self, program: str, *, disguised: bool = False, **files: str) -> Execution:
        """One guarded run of the program so changed."""
        root = self.write({"program.py": program, **files})
        guard = Guard(("program.py",), self.base, disguised)
        return self.runner.run(root, LIMITS, guard=guard)[0]

    def plain(self, program: str, **files: str) -> Execution:
        """One run without a guard."""
        return self.runner.run(self.write({"program.py": program, **files}), LIMITS)[0]

    def passes(self, execution: Execution) -> bool:
        """Whether all that must pass does so, by everything that an execution says."""
        outcomes = execution.outcomes()
        return (
            execution.completed
            and execution.exit_status == 0
            and not execution.tampering
            and all(outcomes.get(TestId(t)) is TestOutcome.PASSED for t in self.triggers)
        )


@dataclass
class Warm:
    """A warm session on a folder whose program changes from candidate to candidate."""

    target: Target
    root: Path
    session: TestSession

    def judge(self, program: str) -> Execution:
        """One candidate."""
        (self.root / "program.py").write_text(textwrap.dedent(program))
        tests = [TestId(test) for test in self.target.triggers]
        return self.session.execute(tests, [2.0] * len(tests), len(tests), 5.0)


@contextmanager
def open_warm(target: Target) -> Iterator[Warm]:
    """A warm session on a version of its own."""
    root = target.write({})
    tests = [TestId(test) for test in target.triggers]
    with target.runner.open(root, watched=("program.py",), tests=tests, writable=True) as session:
        yield Warm(target, root, session)


MakeTarget = Callable[..., Target]


def write_files(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))
