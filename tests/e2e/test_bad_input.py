"""Bad input gets one clear sentence and its exit code, and the target stays as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.e2e import snapshot


def one_sentence(stderr: str) -> str:
    """The only complaint on standard error, which is no traceback."""
    assert "Traceback" not in stderr
    complaints = [line for line in stderr.splitlines() if line.startswith("apr: ")]
    assert len(complaints) == 1, stderr
    return complaints[0]


@pytest.mark.parametrize(
    ("name", "argv", "status", "says"),
    [
        ("problems/no_tests", (), 2, "no tests were found"),
        ("problems/nothing_fails", (), 2, "nothing to repair"),
        ("problems/syntax_error", (), 2, "does not parse"),
        ("problems/hanging_import", ("--test-timeout", "0.5"), 3, "hang while they are being"),
        ("off_by_one", ("--test", "no-such-command"), 2, "was not found"),
        ("off_by_one", ("--test", "pytest 'unclosed"), 2, "cannot be parsed"),
        ("off_by_one", ("--test-id", "tests/test_x.py::no"), 2, "there is no test"),
        ("off_by_one", ("--location", "nowhere.py:3"), 2, "nowhere.py"),
        ("off_by_one", ("--formula", "guesswork"), 2, "guesswork"),
        ("off_by_one", ("--jobs", "0"), 2, ""),
        ("off_by_one", ("--python", "no-python"), 2, "no-python"),
        ("off_by_one", ("--source", "*.cobol"), 2, "no source file"),
        ("off_by_one", ("--sandbox", "docker"), 3, "docker"),
        ("off_by_one", ("--output", "/no/such/folder/fix.diff"), 2, "/no/such/folder"),
    ],
)
def test_bad_input(apr, copy_bug, name: str, argv: tuple[str, ...], status: int, says: str) -> None:
    subject = copy_bug(name)
    before = snapshot(subject)
    done = apr("fix", subject, *argv)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert says in one_sentence(done.stderr)
    assert snapshot(subject) == before


def test_no_such_path(apr, tmp_path: Path) -> None:
    done = apr("fix", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "nowhere" in one_sentence(done.stderr)


def test_an_unknown_option_is_bad_input(apr) -> None:
    done = apr("fix", ".", "--frobnicate")
    assert done.returncode == 2
    assert "--frobnicate" in one_sentence(done.stderr)


def test_everything_fails_for_want_of_a_dependency(apr, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "shop.py").write_text("import no_such_library\n")
    (tmp_path / "s" / "test_shop.py").write_text("import shop\n\ndef test_a():\n    pass\n")
    done = apr("fix", tmp_path / "s")
    assert done.returncode == 3
    assert "no_such_library" in one_sentence(done.stderr)


def test_everything_failing_because_of_the_bug_is_repaired(apr, copy_bug) -> None:
    done = apr("fix", copy_bug("problems/everything_fails"), "--candidates", 400)
    assert done.returncode in (0, 1), done.stderr
    assert "apr: " not in done.stderr


def test_source_that_is_not_utf8_is_named_and_left_alone(apr, copy_bug) -> None:
    subject = copy_bug("latin1_source")
    before = snapshot(subject)
    done = apr("fix", subject)
    assert done.returncode == 2
    assert "not UTF-8" in one_sentence(done.stderr)
    assert snapshot(subject) == before


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_read_only_subject_is_repaired_without_touching_it(apr, copy_bug) -> None:
    subject = copy_bug("off_by_one")
    for path in [*subject.rglob("*"), subject]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(subject)
    done = apr("fix", subject)
    assert done.returncode == 0, done.stderr
    assert snapshot(subject) == before


def test_a_store_that_cannot_be_made(apr, copy_bug, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = apr("fix", copy_bug("off_by_one"), APR_DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode == 3
    assert "data" in one_sentence(done.stderr)


def test_a_store_that_is_no_database(apr, copy_bug, tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"hello, world, this is no database" * 100)
    done = apr("fix", copy_bug("off_by_one"), APR_DATABASE_URL=f"sqlite:///{tmp_path}/store.db")
    assert done.returncode == 3
    assert "not a database" in one_sentence(done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_for_the_store(apr, copy_bug, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        subject = copy_bug("off_by_one")
        before = snapshot(subject)
        done = apr("fix", subject, APR_DATA_DIR=str(disk))
        assert done.returncode == 3
        assert "full" in one_sentence(done.stderr)
        assert snapshot(subject) == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_unknown_run(apr) -> None:
    for command in ("show", "tree", "resume"):
        done = apr(command, "nothing")
        assert done.returncode == 2
        one_sentence(done.stderr)
