"""From typed test commands to runners."""

import sys
from pathlib import Path

import pytest

from apr.core.bug import RunnerKind
from apr.core.errors import BadInputError
from validation.runners.detect import detect_command, find_python


@pytest.fixture(autouse=True)
def no_active_environment(monkeypatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


@pytest.mark.parametrize(
    ("text", "kind", "argv"),
    [
        ("pytest -k 'a or b' tests", RunnerKind.PYTEST, ("-k", "a or b", "tests")),
        ("python -m pytest", RunnerKind.PYTEST, ()),
        ("python3.11 -m unittest discover -s t", RunnerKind.UNITTEST, ("discover", "-s", "t")),
        ("make -s check", RunnerKind.COMMAND, ("make", "-s", "check")),
    ],
)
def test_commands_are_recognised(tmp_path: Path, text, kind, argv) -> None:
    command = detect_command(tmp_path, text)
    assert (command.kind, command.argv) == (kind, argv)


def test_leading_assignments_become_the_environment(tmp_path: Path) -> None:
    command = detect_command(tmp_path, "TZ=UTC MODE='a b' pytest")
    assert command.environment == (("TZ", "UTC"), ("MODE", "a b"))


@pytest.mark.parametrize("text", ["", "A=1", "no-such-program --x", "pytest 'unclosed"])
def test_unusable_commands_are_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInputError):
        detect_command(tmp_path, text)


def test_maven_and_gradle_projects_are_run_by_their_tools(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").touch()
    command = detect_command(tmp_path)
    assert command.argv[0] == "mvn"
    assert command.junit_globs == ("**/target/surefire-reports/TEST-*.xml",)


def test_the_subjects_own_environment_comes_before_ours(tmp_path: Path) -> None:
    assert find_python(tmp_path) == sys.executable
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert find_python(tmp_path) == str(python)


def test_an_interpreter_that_does_not_exist_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no-python"):
        find_python(tmp_path, "no-python")
