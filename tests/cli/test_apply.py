"""Writing a patch into the user's files: exactly it, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.cli.apply import apply_patch, plan_changes
from apr.core.errors import AprError, BadInputError, PatchDoesNotApplyError
from apr.core.patch import Hunk, Patch, diff_texts, render_diff

OLD = "a\nb\nc\nd\n"
REPLACE = Patch((Hunk("m.py", 2, ("b\n",), ("B\n",)),))
INSERT = Patch((Hunk("m.py", 3, (), ("new\n",)),))


def diff_of(patch: Patch, **sources: str) -> str:
    return render_diff(patch, sources or {"m.py": OLD})


def test_the_patch_is_written_and_permissions_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "m.py"
    target.write_text(OLD)
    target.chmod(0o750)
    assert apply_patch(tmp_path, REPLACE, diff_of(REPLACE)) == ("m.py",)
    assert target.read_text() == "a\nB\nc\nd\n"
    assert target.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["m.py"]


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    text = "a\nb\nc = '\udcff'\n"
    (tmp_path / "m.py").write_bytes(b"a\nb\nc = '\xff'\n")
    apply_patch(tmp_path, REPLACE, render_diff(REPLACE, {"m.py": text}))
    assert (tmp_path / "m.py").read_bytes() == b"a\nB\nc = '\xff'\n"


@pytest.mark.parametrize(
    ("patch", "now"),
    [
        (REPLACE, "a\nchanged\nc\nd\n"),
        (REPLACE, "first\na\nb\nc\nd\n"),
        (INSERT, "a\nb\nelse\nd\n"),  # no old line of the hunk says so, its context does
        (INSERT, "a\n"),
    ],
)
def test_a_file_that_changed_meanwhile_is_left_alone(
    tmp_path: Path, patch: Patch, now: str
) -> None:
    (tmp_path / "m.py").write_text(now)
    with pytest.raises(PatchDoesNotApplyError, match="has changed since"):
        apply_patch(tmp_path, patch, diff_of(patch))
    assert (tmp_path / "m.py").read_text() == now


def test_a_file_that_vanished_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PatchDoesNotApplyError, match="has changed since"):
        apply_patch(tmp_path, REPLACE, diff_of(REPLACE))


def test_changes_far_away_do_not_matter() -> None:
    far = OLD + "e\nf\ng\n" + "h\n"
    patch = Patch((Hunk("m.py", 1, ("a\n",), ("A\n",)),))
    diff = render_diff(patch, {"m.py": far})
    assert plan_changes(patch, diff, {"m.py": far.replace("h", "H")})["m.py"].startswith("A\nb\n")


def test_a_symbolic_link_is_never_followed(tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.mkdir()
    (tmp_path / "elsewhere.py").write_text(OLD)
    (subject / "m.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(AprError):
        apply_patch(subject, REPLACE, diff_of(REPLACE))
    assert (tmp_path / "elsewhere.py").read_text() == OLD


def test_when_one_file_cannot_be_replaced_none_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Patch((*REPLACE.hunks, Hunk("n.py", 1, ("a\n",), ("A\n",))))
    for name in ("m.py", "n.py"):
        (tmp_path / name).write_text(OLD)
    replace = Path.replace

    def full_disk(self: Path, target: Path) -> Path:
        if target.name == "n.py":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(BadInputError, match=r"n\.py cannot be written: No space left"):
        apply_patch(tmp_path, two, render_diff(two, {"m.py": OLD, "n.py": OLD}))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "m.py": OLD,
        "n.py": OLD,
    }


def test_new_and_deleted_files_are_written_too(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(OLD)
    (tmp_path / "gone.py").write_text("x\n")
    sources = {"m.py": OLD, "gone.py": "x\n"}
    patch = diff_texts(sources, {"gone.py": None, "new/n.py": "n\n", "m.py": OLD + "end\n"})
    apply_patch(tmp_path, patch, render_diff(patch, sources))
    written = {p.relative_to(tmp_path).as_posix(): p for p in tmp_path.rglob("*") if p.is_file()}
    assert sorted(written) == ["m.py", "new/n.py"]
    assert written["new/n.py"].read_text() == "n\n"
    assert written["new/n.py"].stat().st_mode & 0o400


def test_nothing_is_left_of_new_files_when_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "gone.py").write_text("x\n")
    (tmp_path / "file").write_text("x\n")
    sources = {"gone.py": "x\n", "file": "x\n"}
    patch = diff_texts(sources, {"gone.py": None, "new/n.py": "n\n", "file/z.py": "z\n"})
    with pytest.raises(BadInputError, match="was not applied"):
        apply_patch(tmp_path, patch, render_diff(patch, sources))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "gone.py"]
