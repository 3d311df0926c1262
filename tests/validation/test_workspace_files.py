"""Patches that create, delete and rename files: held in the workspace, and gone afterwards."""

from pathlib import Path

import pytest

from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Patch, diff_texts
from validation.workspace import SourceTree, Workspace, copy_subject


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    pristine = tmp_path / "pristine"
    (pristine / "pkg").mkdir(parents=True)
    (pristine / "pkg" / "a.py").write_text("x = 1\n")
    (pristine / "b.py").write_text("y = 2\n")
    (pristine / "link").symlink_to("pkg")
    copy_subject(pristine, tmp_path / "copy")
    return Workspace(tmp_path / "copy", pristine)


def files(workspace: Workspace) -> dict[str, str]:
    root = workspace.root
    return {
        path.relative_to(root).as_posix(): path.read_text() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
        if not path.is_symlink()
    }


def patch(workspace: Workspace, **texts: str | None) -> Patch:
    named = {name.replace("__", "/"): text for name, text in texts.items()}
    return diff_texts(SourceTree(workspace.pristine), named)


BEFORE = {"b.py": "y = 2\n", "pkg": "", "pkg/a.py": "x = 1\n"}


def test_a_new_file_is_there_within_the_block_and_its_folders_go_with_it(
    workspace: Workspace,
) -> None:
    with workspace.patched(patch(workspace, new__deep__c="z\n", pkg__d="")):
        assert files(workspace) == {
            **BEFORE,
            "new": "",
            "new/deep": "",
            "new/deep/c": "z\n",
            "pkg/d": "",
        }
    assert files(workspace) == BEFORE


def test_a_deleted_file_comes_back_as_it_was(workspace: Workspace) -> None:
    target = workspace.root / "b.py"
    moment = target.stat().st_mtime_ns
    with workspace.patched(diff_texts(SourceTree(workspace.pristine), {"b.py": None})):
        assert not target.exists()
    assert files(workspace) == BEFORE
    assert target.stat().st_mtime_ns == moment


def test_a_file_may_take_the_place_of_a_deleted_one_and_below_it(workspace: Workspace) -> None:
    texts = {"b.py": None, "b.py/inner": "i\n"}
    with workspace.patched(diff_texts(SourceTree(workspace.pristine), texts)):
        assert files(workspace)["b.py/inner"] == "i\n"
    assert files(workspace) == BEFORE


@pytest.mark.parametrize("path", ["pkg", "b.py/x", "link/x", "../x", "link"])
def test_what_is_in_the_way_of_a_new_file_refuses_it(workspace: Workspace, path: str) -> None:
    blocked = Patch(created=(path,))
    with pytest.raises(PatchDoesNotApplyError), workspace.patched(blocked):
        pass
    assert files(workspace) == BEFORE
    assert not (workspace.root.parent / "x").exists()
