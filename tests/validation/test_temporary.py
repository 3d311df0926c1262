"""Temporary folders vanish with their use, and after a SIGKILL with the next start."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apr.core.errors import EnvironmentUnusableError
from validation.temporary import LOCK, MAKING, PREFIX, reap, remove_tree, temporary_folder

OWNER = """
import os, sys
from validation.temporary import temporary_folder
with temporary_folder("left") as first, temporary_folder("behind") as second:
    (first / "file").write_text("x")
    (first / "locked").mkdir()
    (first / "locked" / "file").write_text("x")
    (first / "locked").chmod(0)
    (first / "link").symlink_to(sys.argv[1])
    os.chdir(second)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    print(first, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, for this test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@contextmanager
def owner(parent: Path, outside: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(outside)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(parent)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process


def test_nothing_is_left_when_the_last_folder_goes(parent: Path) -> None:
    with temporary_folder("a") as first:
        with temporary_folder("b") as second:
            assert first.parent == second.parent
            assert second.name.startswith("b-")
            assert first.parent.stat().st_mode & 0o777 == 0o700
        assert not second.exists()
        assert first.exists()
    assert list(parent.iterdir()) == []


def test_folder_goes_when_its_use_fails(parent: Path) -> None:
    with pytest.raises(KeyboardInterrupt), temporary_folder("a"):
        raise KeyboardInterrupt
    assert list(parent.iterdir()) == []


def test_folder_that_cannot_be_made_is_told_in_a_sentence(parent: Path) -> None:
    parent.rmdir()
    with (
        pytest.raises(EnvironmentUnusableError, match="cannot make a temporary folder"),
        temporary_folder("a"),
    ):
        pass
    parent.mkdir()
    with temporary_folder("a"):
        pass


def test_next_start_removes_what_a_killed_owner_left(parent: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    with owner(parent, outside) as process:
        process.kill()
    (left,) = parent.iterdir()
    with temporary_folder("next") as folder:
        assert list(parent.iterdir()) == [folder.parent]
        assert folder.parent != left
    assert list(parent.iterdir()) == []
    assert (outside / "mine").exists()


def test_folders_of_the_living_are_not_touched(parent: Path, tmp_path: Path) -> None:
    with owner(parent, tmp_path) as process:
        assert reap(parent) == []
        with temporary_folder("mine"):
            assert len(list(parent.iterdir())) == 2
        assert len(list(next(parent.iterdir()).iterdir())) == 3
        process.kill()
    assert len(reap(parent)) == 1


def test_only_roots_of_this_user_that_nobody_holds_are_removed(parent: Path) -> None:
    (parent / f"{PREFIX}interrupted").mkdir()
    (parent / f"{MAKING}just-now").mkdir()
    (parent / f"{MAKING}about-to-be-locked").mkdir()
    (parent / f"{MAKING}about-to-be-locked" / LOCK).touch()
    (parent / f"{MAKING}long-ago").mkdir()
    os.utime(parent / f"{MAKING}long-ago", (1, 1))
    (parent / "somebody-else").mkdir()
    (parent / f"{PREFIX}link").symlink_to(parent / "somebody-else")
    (parent / "somebody-else" / LOCK).touch()
    assert {path.name for path in reap(parent)} == {f"{PREFIX}interrupted", f"{MAKING}long-ago"}
    making = {f"{MAKING}just-now", f"{MAKING}about-to-be-locked"}
    kept = making | {"somebody-else", f"{PREFIX}link"}
    assert {path.name for path in parent.iterdir()} == kept
    assert (parent / "somebody-else" / LOCK).exists()


def test_forked_child_neither_keeps_nor_removes_the_folders_of_its_parent(parent: Path) -> None:
    with temporary_folder("parents") as folder:
        child = os.fork()
        if child == 0:
            with temporary_folder("childs") as own:
                os._exit(0 if own.parent != folder.parent else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert folder.exists()
        assert len(reap(parent)) == 1
        assert folder.exists()


def test_removing_follows_no_link_and_minds_no_lock(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    tree = tmp_path / "tree"
    (tree / "locked" / "inner").mkdir(parents=True)
    (tree / "link").symlink_to(outside)
    os.mkfifo(tree / "locked" / "pipe")
    (tree / "locked" / "inner").chmod(0)
    (tree / "locked").chmod(0)
    remove_tree(tree)
    remove_tree(tmp_path / "never there")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "mine").exists()
