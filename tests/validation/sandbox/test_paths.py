"""Which path appears where: the workspace's place decides the order."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.core.errors import EnvironmentUnusableError
from validation.sandbox.paths import (
    Layout,
    check_workspace,
    link_chain,
    make_mount_points,
    outside,
    plan_layout,
    with_targets,
    without_nested,
)


def test_paths_inside_the_mount_point_lie_over_the_workspace() -> None:
    readable = ["/opt/python", "/src/app/.venv", "/src", "/src/app/.venv/lib", "/src/app"]
    assert plan_layout(readable, "/src/app") == Layout(
        before=("/opt/python", "/src"), over=("/src/app/.venv",)
    )


def test_workspace_hides_a_readable_path_at_its_own_place() -> None:
    assert plan_layout(["/src/app"], "/src/app") == Layout((), ())


def test_equal_beginnings_of_names_are_not_nesting() -> None:
    assert without_nested(["/a/bc", "/a/b", "/a/b/c"]) == ["/a/b", "/a/bc"]
    assert outside(["/usr", "/usr/lib", "/usrlocal"], ["/usr"]) == ["/usrlocal"]


def test_chain_of_links_is_followed_step_by_step(tmp_path: Path) -> None:
    program = tmp_path / "real" / "program"
    program.parent.mkdir()
    program.touch()
    (tmp_path / "middle").symlink_to("real/program")
    (tmp_path / "start").symlink_to(tmp_path / "middle")
    steps = [str(tmp_path / name) for name in ("start", "middle", "real/program")]
    assert link_chain(str(tmp_path / "start")) == steps


def test_link_in_the_middle_of_a_path_adds_its_target(tmp_path: Path) -> None:
    (tmp_path / "real" / "lib").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    found = set(with_targets([str(tmp_path / "link" / "lib")]))
    assert found == {str(tmp_path / "link" / "lib"), str(tmp_path.resolve() / "real" / "lib")}


def test_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert len(link_chain(str(tmp_path / "a"))) <= 41


def test_mount_points_are_made_and_what_exists_is_kept(tmp_path: Path) -> None:
    subject, workspace = tmp_path / "subject", tmp_path / "workspace"
    (subject / ".venv").mkdir(parents=True)
    (subject / "lib.so").touch()
    workspace.mkdir()
    (workspace / "lib.so").write_text("kept")
    over = [str(subject / ".venv"), str(subject / "lib.so")]
    make_mount_points(str(workspace), str(subject), over)
    assert (workspace / ".venv").is_dir()
    assert (workspace / "lib.so").read_text() == "kept"


@pytest.mark.parametrize("workspace", ["relative", "/no/such/folder"])
def test_unusable_workspace_is_an_error_of_the_environment(workspace: str) -> None:
    with pytest.raises(EnvironmentUnusableError, match=workspace):
        check_workspace(workspace)
