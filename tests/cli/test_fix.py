"""`apr fix`: nonsense is refused with the project untouched, and a real bug is repaired."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from apr.cli.request import SubjectRequest, make_bug, make_settings, processors
from apr.core.bug import RunnerKind
from apr.core.errors import BadInputError

Cli = Callable[..., Result]

PROGRAM = """\
def clamp(x, low, high):
    if x < low:
        return low
    if x < high:
        return high
    return x
"""
TESTS = """\
from clamping import clamp


def test_low():
    assert clamp(-1, 0, 5) == 0


def test_high():
    assert clamp(9, 0, 5) == 5


def test_between():
    assert clamp(3, 0, 5) == 3
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "clamping.py").write_text(PROGRAM)
    (folder / "test_clamping.py").write_text(TESTS)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--formula", "astrology"), "no formula is called 'astrology'"),
        (("--test", "no-such-program --all"), "'no-such-program' was not found"),
        (("--test", "pytest 'tests"), "cannot be parsed"),
        (("--test", ""), "is empty"),
        (("--python", "python0.1"), "'python0.1' was not found"),
        (("--issue", "missing.txt"), "--issue missing.txt cannot be read"),
        (("--output", "missing/fix.diff"), "--output missing/fix.diff"),
        (("--output", "."), "is a folder"),
        (("--json", "--format", "diff"), "--json contradicts --format diff"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(
    apr: Cli, project: Path, args: tuple[str, ...], words: str
) -> None:
    before = files(project)
    result = apr("fix", project, *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert files(project) == before


def test_a_path_must_be_a_folder(apr: Cli, project: Path) -> None:
    for path, words in (
        (project / "missing", "there is no such path"),
        (project / "clamping.py", "is no bug file"),
        (project / ("x" * 300), "cannot be used"),
    ):
        result = apr("fix", path)
        assert result.exit_code == 2
        assert words in result.stderr


def test_folders_that_may_not_be_read_or_written_are_bad_input(
    apr: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked of the system and not tried out, because root may do everything anyway.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert "--apply cannot write to" in apr("fix", project, "--apply").stderr
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    result = apr("fix", project)
    assert result.exit_code == 2
    assert "cannot be read: permission denied" in result.stderr


def test_a_bug_holds_what_was_typed(project: Path, tmp_path: Path) -> None:
    issue = tmp_path / "issue.md"
    issue.write_bytes(b"It \xff crashes")
    bug = make_bug(
        SubjectRequest(
            project,
            test="A=1 pytest -x test_clamping.py",
            test_ids=("test_clamping.py::test_high",),
            sources=("*.py",),
            issue=issue,
            name="clamp",
        )
    )
    assert bug.subject == str(project.resolve())
    assert bug.test_command.kind is RunnerKind.PYTEST
    assert bug.test_command.argv == ("-x", "test_clamping.py")
    assert bug.test_command.environment == (("A", "1"),)
    assert bug.trigger_tests == ("test_clamping.py::test_high",)
    assert (bug.name, bug.source_globs, bug.base_commit) == ("clamp", ("*.py",), None)
    assert bug.issue_text == "It \ufffd crashes"


def test_the_commit_of_a_checkout_is_kept(project: Path) -> None:
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert make_bug(SubjectRequest(project)).base_commit is None  # nothing is committed yet
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    commit = make_bug(SubjectRequest(project)).base_commit
    assert commit is not None
    assert len(commit) == 40


def test_settings_out_of_range_are_bad_input() -> None:
    with pytest.raises(BadInputError, match="memory_mib"):
        make_settings(memory_mib=1)
    assert make_settings(jobs=None).jobs == processors()
    assert make_settings(formula="D*").formula == "dstar"


@pytest.fixture
def quick(project: Path, plain_python: None) -> Iterator[tuple[str, ...]]:
    yield ("fix", str(project), "--sandbox", "process", "--jobs", "1", "--seconds", "60")


def test_a_real_bug_is_repaired_and_the_patch_applied(
    apr: Cli, project: Path, quick: tuple[str, ...], tmp_path: Path
) -> None:
    result = apr(*quick, "--apply", "--json", "--output", tmp_path / "result.json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["status"] == "succeeded"
    assert document["baseline"]["passing"] == 1
    diff = document["patches"][0]["diff"]
    repaired = (project / "clamping.py").read_text()
    assert repaired != PROGRAM
    for words in ("sandbox: process (weak", "test_clamping.py::test_high", "not proven correct"):
        assert words in result.stderr
    assert "applied to clamping.py" in result.stderr
    again = apr("show", "last", "--format", "diff")
    assert again.stdout == diff
    subprocess.run(["git", "apply", "-R", "-"], input=diff, text=True, cwd=project, check=True)
    assert (project / "clamping.py").read_text() == PROGRAM


def test_nothing_to_repair_is_bad_input(apr: Cli, project: Path, quick: tuple[str, ...]) -> None:
    (project / "clamping.py").write_text(PROGRAM.replace("if x < high", "if x > high"))
    before = files(project)
    result = apr(*quick, "--quiet")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("apr: ")
    assert result.stderr.count("\n") == 1
    assert files(project) == before


def test_a_run_that_is_stopped_is_saved_and_can_be_resumed(
    apr: Cli, project: Path, quick: tuple[str, ...], tmp_path: Path
) -> None:
    (project / "test_clamping.py").write_text("import time\n\ndef test_a():\n    time.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "apr.cli.main", *quick],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "APR_DATA_DIR": str(tmp_path / "data")},
    )
    assert process.stderr is not None
    while "running the tests" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    (run,) = json.loads(apr("runs", "--format", "json").stdout)["runs"]
    assert process.returncode == 130
    assert out == ""
    assert errors.splitlines()[-1] == (f"apr: interrupted; continue with: apr resume {run['run']}")
    assert run["status"] == "interrupted"
