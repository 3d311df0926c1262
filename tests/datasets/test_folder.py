from __future__ import annotations

import json
from pathlib import Path

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import BadInputError
from apr.datasets import folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_key_reaches_the_bug(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    write(
        tmp_path / "bugs" / "empty-cart.bug.toml",
        'subject = "../code"\nrunner = "command"\nargv = ["make", "check"]\n'
        'junit_globs = ["reports/*.xml"]\ntrigger_tests = ["Cart.empty"]\n'
        'source_globs = ["src/*.c"]\nissue_text = "It crashes."\n'
        '[environment]\nCC = "cc"\n[properties]\nkind = "missing guard"\n',
    )
    assert folder.load(tmp_path).bugs == (
        Bug(
            subject=str((tmp_path / "code").resolve()),
            test_command=TestCommand(
                RunnerKind.COMMAND,
                ("make", "check"),
                python=folder.sys.executable,
                junit_globs=("reports/*.xml",),
                environment=(("CC", "cc"),),
            ),
            trigger_tests=(TestId("Cart.empty"),),
            source_globs=("src/*.c",),
            issue_text="It crashes.",
            name="empty-cart",
            properties=(("kind", "missing guard"),),
        ),
    )


def test_empty_description_means_pytest_on_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path / "plain" / "bug.json", json.dumps({}))
    (bug,) = folder.load(tmp_path, python="py").bugs
    assert bug.name == "plain"
    assert bug.subject == str((tmp_path / "plain").resolve())
    assert bug.test_command == TestCommand(RunnerKind.PYTEST, python="py")


def test_reference_patch_keeps_its_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a" / "bug.toml", 'reference_patch = "right.patch"\n')
    (tmp_path / "a" / "right.patch").write_bytes(b"-x\r\n+\xe9\r\n")
    dataset = folder.load(tmp_path)
    assert dataset.reference_patch(dataset.bugs[0]) == "-x\r\n+\udce9\r\n"
    assert dataset.reference_program(dataset.bugs[0]) is None


def test_names_select_bugs(tmp_path: Path) -> None:
    write(tmp_path / "a" / "bug.toml", "")
    write(tmp_path / "b" / "bug.toml", "")
    assert [bug.name for bug in folder.load(tmp_path, names=["b"]).bugs] == ["b"]
    with pytest.raises(BadInputError, match="no bug named c"):
        folder.load(tmp_path, names=["c"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject = ", "cannot be read"),
        ('subject = "absent"', "is no folder"),
        ('runner = "jest"', "runner jest is none of pytest, unittest, junit, command"),
        ("argv = 3", "the value of argv has the wrong type"),
        ('trigger = ["a"]', "unknown key trigger"),
    ],
)
def test_wrong_descriptions_are_named(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "bug.toml", text)
    with pytest.raises(BadInputError, match=message):
        folder.load(tmp_path)


def test_a_name_may_be_used_once(tmp_path: Path) -> None:
    write(tmp_path / "a" / "bug.toml", 'name = "same"')
    write(tmp_path / "b" / "bug.toml", 'name = "same"')
    with pytest.raises(BadInputError, match="two bugs named same"):
        folder.load(tmp_path)


def test_folder_without_bugs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no bug\.toml or bug\.json"):
        folder.load(tmp_path)
