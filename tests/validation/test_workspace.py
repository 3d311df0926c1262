"""Private copies: what they leave out, and that they always return to the original."""

import os
from pathlib import Path

import pytest

from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Patch, diff_texts
from validation.workspace import SourceTree, Workspace, copy_subject, safe_path, store_bytecode


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
    assert target.stat().st_mtime_ns == (workspace.pristine / "pkg/a.py").stat().st_mtime_ns


def test_a_patched_file_never_has_the_modification_second_of_the_original(workspace) -> None:
    target = workspace.root / "pkg" / "a.py"
    before = int(target.stat().st_mtime)
    with workspace.patched(edit(workspace, "1", "3")):
        assert int(target.stat().st_mtime) != before
    assert int(target.stat().st_mtime) == before


def test_a_copy_can_be_read_by_the_users_of_sandboxes(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    (subject / "private").mkdir(parents=True)
    (subject / "private" / "key").touch(0o600)
    (subject / "private" / "tool").touch(0o700)
    (subject / "private").chmod(0o700)
    copy_subject(subject, tmp_path / "copy")
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "copy").rglob("*")}
    assert modes == {"private": 0o755, "key": 0o644, "tool": 0o755}
    assert (subject / "private" / "key").stat().st_mode & 0o777 == 0o600


def test_bytecode_from_a_sandbox_goes_nowhere_else(workspace: Workspace, tmp_path: Path) -> None:
    root = workspace.root
    (root / "linked").symlink_to(tmp_path)
    (root / "pkg" / "__pycache__").mkdir()
    (root / "pkg" / "__pycache__" / "old.pyc").write_bytes(b"old")
    refused = (
        *("pkg/a.py", "__pycache__/x.py", "pkg/__pycache__/old.pyc", "none/__pycache__/x.pyc"),
        *("../__pycache__/x.pyc", "linked/__pycache__/x.pyc", f"{tmp_path}/__pycache__/x.pyc"),
    )
    store_bytecode(root, dict.fromkeys((*refused, "pkg/__pycache__/new.pyc"), b"new"))
    assert (root / "pkg" / "__pycache__" / "new.pyc").read_bytes() == b"new"
    assert (root / "pkg" / "__pycache__" / "old.pyc").read_bytes() == b"old"
    assert (root / "pkg" / "a.py").read_bytes() == b"x = 1\r\ny = 2"
    assert {path.name for path in tmp_path.rglob("*.pyc")} == {"new.pyc", "old.pyc"}


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "pkg/../../x", "link/x"])
def test_paths_that_lead_outside_are_refused(workspace: Workspace, path: str) -> None:
    (workspace.root / "link").symlink_to("/tmp")
    with pytest.raises(PatchDoesNotApplyError):
        safe_path(workspace.root, path)
