"""Patches are applied in the ways, and with the side effects, of the official harness."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.evaluation.application import Application, apply_patch
from apr.evaluation.script import parse_script
from support.tiny_repository import BUGGY, GOLD, SCRIPT, git, make_repository


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clones")
    make_repository(folder)
    return folder / "tiny__shop"


def apply(clone: Path, patch: str, *, with_tests: bool = True) -> Application:
    base = git(clone, "rev-parse", "HEAD~1")
    steps = parse_script(SCRIPT.replace("BASE", base), "x").steps if with_tests else ()
    return apply_patch(clone / ".git", base, patch, steps)


def text(application: Application, path: str) -> str | None:
    file = application.files[path]
    return None if file is None else file.data.decode()


def test_the_patch_and_the_tests_are_what_differs(clone: Path) -> None:
    found = apply(clone, GOLD)
    assert found.is_applied
    assert sorted(found.files) == ["shop.py", "test_shop.py"]
    assert text(found, "shop.py") == BUGGY.replace("n + 2", "n * 2")


def test_the_clone_is_not_written(clone: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in clone.rglob("*")}

    before = state()
    apply(clone, GOLD.replace("@@ -1,4", "@@ -3,4"))
    apply(clone, "no patch at all")
    assert state() == before


def test_a_patch_of_another_version_is_merged(clone: Path) -> None:
    other = git(clone, "rev-parse", "HEAD:shop.py")  # what it was made against
    patch = GOLD.replace("--- a", f"index {other}..{'1' * 40} 100644\n--- a")
    patch = patch.replace("     if n < 0:", "-    if n < 0:\n+    if n <= 0:")
    patch = patch.replace("-    return n + 2\n+    return n * 2", "     return n * 2")
    merged = apply(clone, patch)
    assert merged.is_applied
    assert text(merged, "shop.py") == BUGGY.replace("n < 0", "n <= 0")
    assert "Applied patch to 'shop.py' cleanly" in merged.told


def test_what_only_fits_loosely_is_applied_all_the_same(clone: Path) -> None:
    loose = GOLD.replace("     if n < 0:", "     if n <= 0:")
    found = apply(clone, loose)
    assert found.is_applied
    assert text(found, "shop.py") == BUGGY.replace("n + 2", "n * 2")


@pytest.mark.parametrize("patch", ["nonsense", GOLD.replace("n + 2", "n + 3"), "\n"])
def test_what_does_not_fit_changes_nothing_that_is_judged(clone: Path, patch: str) -> None:
    found = apply(clone, patch)
    assert not found.is_applied
    assert found.told


def test_changed_tests_are_put_back_and_new_files_stay(clone: Path) -> None:
    patch = GOLD + (
        "diff --git a/test_old.py b/test_old.py\n--- a/test_old.py\n+++ b/test_old.py\n"
        "@@ -3,3 +3,3 @@\n \n def test_low():\n-    assert shop.double(-1) == 0\n+    pass\n"
        "diff --git a/new/x.sh b/new/x.sh\nnew file mode 100755\n--- /dev/null\n+++ b/new/x.sh\n"
        "@@ -0,0 +1 @@\n+true\n"
    )
    found = apply(clone, patch)
    assert sorted(found.files) == ["new/x.sh", "shop.py", "test_shop.py"]
    script = found.files["new/x.sh"]
    assert script is not None
    assert script.mode & 0o111
    assert "test_old.py" in apply(clone, patch, with_tests=False).files


def test_deleted_and_renamed_files_are_seen(clone: Path) -> None:
    patch = (
        "diff --git a/shop.py b/store.py\nsimilarity index 100%\n"
        "rename from shop.py\nrename to store.py\n"
        "diff --git a/data.txt b/data.txt\ndeleted file mode 100644\n"
        "--- a/data.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-needed\n"
    )
    found = apply(clone, patch, with_tests=False)
    assert {path: file is None for path, file in found.files.items()} == {
        "shop.py": True,
        "store.py": False,
        "data.txt": True,
    }


def test_equal_results_have_equal_digests(clone: Path) -> None:
    shifted = GOLD.replace("@@ -1,4 +1,4 @@", "@@ -2,4 +2,4 @@")
    other = GOLD.replace("n * 2", "n*2")
    digests = [apply(clone, patch).digest for patch in (GOLD, shifted, other)]
    assert digests[0] == digests[1] != digests[2]


def test_nothing_is_written_outside(clone: Path, tmp_path: Path) -> None:
    target = tmp_path / "outside"
    for path in (f"../../../../..{target}", str(target)):
        patch = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
        apply(clone, patch)
    assert not target.exists()


def test_a_clone_without_the_commit_is_bad_input(clone: Path) -> None:
    with pytest.raises(BadInputError, match="lacks the commit"):
        apply_patch(clone / ".git", "f" * 40, GOLD, ())
