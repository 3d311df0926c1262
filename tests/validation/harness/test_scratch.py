"""The scratch copy is equal to its source again, whatever was done to it."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from validation.runners.session import HARNESS_ROOT


@pytest.fixture(scope="module")
def scratch() -> Iterator[Any]:
    """The harness's module, which lies on no path of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HARNESS_ROOT))
        yield importlib.import_module("apr_harness.scratch")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "pkg" / "data").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "pkg" / "a.py").write_text("x = 1\n")
    (folder / "pkg" / "data" / "tool").write_text("#!/bin/sh\n")
    (folder / "pkg" / "data" / "tool").chmod(0o755)
    (folder / "link").symlink_to("pkg/a.py")
    (folder / "dangling").symlink_to("/no/such/place")
    return folder


@pytest.fixture
def target(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source, tmp_path / "target", symlinks=True))


def look(folder: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.rglob("*"):
        info = path.lstat()
        is_file = path.is_file() and not path.is_symlink()
        content = path.read_bytes() if is_file else path.is_symlink() and str(path.readlink())
        moment = info.st_mtime_ns if is_file else 0
        found[path.relative_to(folder).as_posix()] = (info.st_mode, moment, content)
    return found


def change_and_hide(target: Path) -> None:
    """Same size, same modification time: what a careful cheater would do."""
    path = target / "pkg" / "a.py"
    before = path.stat()
    path.write_text("x = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap_folder_for_link(target: Path) -> None:
    shutil.rmtree(target / "pkg")
    (target / "pkg").symlink_to("/etc")


def nest_endlessly(target: Path) -> None:
    here = Path.cwd()
    os.chdir(target / "empty")
    for _ in range(2100):
        os.mkdir("d")  # noqa: PTH102 - the path is longer than the 4,096 bytes that one may have
        os.chdir("d")
    os.chdir(here)


DAMAGE = {
    "removed": lambda t: (t / "pkg" / "a.py").unlink(),
    "changed": lambda t: (t / "pkg" / "a.py").write_text("y"),
    "changed and made to look as before": change_and_hide,
    "replaced by a link": lambda t: (
        (t / "pkg" / "a.py").unlink(),
        (t / "pkg" / "a.py").symlink_to("/etc/passwd"),
    ),
    "link led elsewhere": lambda t: ((t / "link").unlink(), (t / "link").symlink_to("/etc/passwd")),
    "folder replaced by a link": swap_folder_for_link,
    "folder replaced by a file": lambda t: (shutil.rmtree(t / "pkg"), (t / "pkg").touch()),
    "file replaced by a folder": lambda t: (
        (t / "pkg" / "a.py").unlink(),
        (t / "pkg" / "a.py" / "sub").mkdir(parents=True),
    ),
    "everything removed": lambda t: [
        shutil.rmtree(p) if p.is_dir() and not p.is_symlink() else p.unlink() for p in t.iterdir()
    ],
    "mode bits": lambda t: (t / "pkg" / "data" / "tool").chmod(0o4755),
    "folder locked": lambda t: (t / "pkg").chmod(0),
    "root locked": lambda t: t.chmod(0),
    "new things": lambda t: (
        (t / "new" / "deep").mkdir(parents=True),
        (t / "new" / "deep" / "f").touch(),
        os.mkfifo(t / "pipe"),
        os.link(t / "pkg" / "a.py", t / "hard"),
    ),
    "nested endlessly": nest_endlessly,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_undone(scratch: Any, source: Path, target: Path, damage: Any) -> None:
    keeper = scratch.Scratch(str(source), str(target))
    assert keeper.sync() == []
    before = look(source)
    for _ in range(2):
        damage(target)
        keeper.sync()
        assert look(target) == before
        assert target.stat().st_mode & 0o700 == 0o700
    assert look(source) == before


def test_change_within_a_tick_of_the_last_restoration_is_seen(
    scratch: Any, source: Path, target: Path
) -> None:
    """The clock of file systems stands still for some milliseconds at a time."""
    keeper = scratch.Scratch(str(source), str(target))
    keeper.sync()
    for _ in range(20):
        change_and_hide(target)
        keeper.sync()
        assert (target / "pkg" / "a.py").read_text() == "x = 1\n"


def test_patch_of_the_live_workspace_arrives_and_goes(
    scratch: Any, source: Path, target: Path
) -> None:
    keeper = scratch.Scratch(str(source), str(target))
    keeper.sync()
    original = (source / "pkg" / "a.py").read_bytes()
    moment = (source / "pkg" / "a.py").stat().st_mtime_ns
    for text in (b"x = 3\n", b"x = 4\n", original):
        (source / "pkg" / "a.py").write_bytes(text)
        os.utime(source / "pkg" / "a.py", ns=(moment, moment + 2 * 10**9 * (text != original)))
        keeper.sync()
        assert (target / "pkg" / "a.py").read_bytes() == text
    (source / "pkg" / "new.py").touch()
    keeper.sync()
    assert (target / "pkg" / "new.py").exists()
    assert look(target) == look(source)


def test_patches_of_one_size_and_time_are_told_apart(
    scratch: Any, source: Path, target: Path
) -> None:
    """As those of a file are whose own time lies in the future."""
    keeper = scratch.Scratch(str(source), str(target))
    keeper.sync()
    time.sleep(0.02)
    change_and_hide(source)
    keeper.sync()
    assert (target / "pkg" / "a.py").read_text() == "x = 2\n"


def test_untouched_files_are_not_copied_again(scratch: Any, source: Path, target: Path) -> None:
    keeper = scratch.Scratch(str(source), str(target))
    keeper.sync()
    before = {path: path.lstat().st_ino for path in target.rglob("*")}
    (target / "pkg" / "data" / "tool").unlink()
    assert keeper.sync() == ["pkg/data/tool"]
    after = {path: path.lstat().st_ino for path in target.rglob("*")}
    assert {path.name for path in before if before[path] != after[path]} <= {"tool"}


def test_mass_destruction_is_paid_for_once(scratch: Any, source: Path, target: Path) -> None:
    for number in range(100):
        (source / f"{number}.txt").write_text("x")
    keeper = scratch.Scratch(str(source), str(target))
    assert len(keeper.sync()) == 100
    assert keeper.sync() == []


def test_differences_are_told_without_caches(scratch: Any, source: Path, target: Path) -> None:
    (target / "pkg" / "__pycache__").mkdir()
    (target / "pkg" / "__pycache__" / "a.pyc").touch()
    (target / ".pytest_cache").mkdir()
    (target / "trace").touch()
    (target / "link").unlink()
    assert scratch.Scratch(str(source), str(target)).differences() == ["link", "trace"]


def test_new_temporary_things_go_and_old_ones_stay(scratch: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    (folder / "old" / "inner").mkdir(parents=True)
    (folder / "old" / "file").write_text("x")
    leftovers = scratch.Leftovers([str(folder)])
    (folder / "new" / "deep").mkdir(parents=True)
    (folder / "old" / "inner" / "new").touch()
    (folder / "link").symlink_to("/etc")
    assert leftovers.clear()
    assert sorted(path.name for path in folder.rglob("*")) == ["file", "inner", "old"]
    time.sleep(0.02)
    (folder / "old" / "file").write_text("y")
    assert not leftovers.clear()
