"""Private copies: what they leave out, and that they always return to the original."""

import os
from pathlib import Path

import pytest

from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Patch, diff_texts
from validation.workspace import SourceTree, Workspace, copy_subject, safe_path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    pristine = tmp_path / "pristine"
    (pristine / "pkg").mkdir(parents=True)
    (pristine / "pkg" / "a.py").write_bytes(b"x = 1\r\ny = 2")
    (pristine / "data.bin").write_bytes(bytes(range(256)))
    copy_subject(pristine, tmp_path / "copy")
    return Workspace(tmp_path / "copy", pristine)


def edit(workspace: Workspace, old: str, new: str) -> Patch:
    text = SourceTree(workspace.pristine)["pkg/a.py"]
    return diff_texts({"pkg/a.py": text}, {"pkg/a.py": text.replace(old, new)})


def test_version_control_caches_and_environments_are_not_copied(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    for folder in (".git", "pkg/__pycache__", "env", "pkg"):
        (subject / folder).mkdir(parents=True, exist_ok=True)
        (subject / folder / "file").touch()
    (subject / "env" / "pyvenv.cfg").touch()
    os.mkfifo(subject / "pipe")
    (subject / "link").symlink_to("/etc/passwd")
    copy_subject(subject, tmp_path / "copy")
    copied = sorted(
        p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").rglob("*")
    )
    assert copied == ["link", "pkg", "pkg/file"]
    assert (tmp_path / "copy" / "link").is_symlink()


def test_a_patch_is_there_within_the_block_and_gone_after_it(workspace: Workspace) -> None:
    target = workspace.root / "pkg" / "a.py"
    with workspace.patched(edit(workspace, "x = 1", "x = 7")):
        assert target.read_bytes() == b"x = 7\r\ny = 2"
    assert target.read_bytes() == b"x = 1\r\ny = 2"
    assert workspace.dirt() == []


def test_a_patched_file_never_has_the_modification_second_of_the_original(workspace) -> None:
    target = workspace.root / "pkg" / "a.py"
    before = int(target.stat().st_mtime)
    with workspace.patched(edit(workspace, "1", "3")):
        assert int(target.stat().st_mtime) != before
    assert int(target.stat().st_mtime) == before


def test_everything_that_tests_do_to_the_folder_is_undone(workspace: Workspace) -> None:
    root = workspace.root
    (root / "data.bin").unlink()
    (root / "pkg" / "a.py").write_text("gone")
    (root / "new" / "deep").mkdir(parents=True)
    (root / "new" / "deep" / "file").touch()
    (root / "link").symlink_to("/etc")
    assert workspace.dirt() == ["data.bin", "link", "new/deep/file", "pkg/a.py"]
    workspace.clean()
    assert workspace.dirt() == []
    assert (root / "data.bin").read_bytes() == bytes(range(256))


def test_cleaning_does_not_follow_a_planted_link(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    target = workspace.root / "pkg" / "a.py"
    target.unlink()
    target.symlink_to(outside)
    workspace.clean()
    assert outside.read_text() == "mine"
    assert not target.is_symlink()


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "pkg/../../x", "link/x"])
def test_paths_that_lead_outside_are_refused(workspace: Workspace, path: str) -> None:
    (workspace.root / "link").symlink_to("/tmp")
    with pytest.raises(PatchDoesNotApplyError):
        safe_path(workspace.root, path)
