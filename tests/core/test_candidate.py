"""Diffs from outside as candidate patches: the same bytes as by the diff, and text alone."""

import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.candidate import patch_from_diff
from apr.core.diff import FileEntry, parse_diff
from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Hunk, Patch, diff_texts, render_diff
from support.diff_cases import REGULAR, Case, make_case
from support.git_apply import GitApply, ours

HEADER = b"diff --git a/f b/f\n"
TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "e\n", ""]), max_size=9).map("".join)


def patch_of(diff: bytes, base: dict[str, str]) -> Patch:
    return patch_from_diff(parse_diff(diff), base)


def applied(patch: Patch, base: dict[str, str]) -> dict[str, str]:
    after = {**base, **patch.apply(base)}
    return {path: text for path, text in after.items() if text is not None}


def test_a_patch_from_a_diff_does_what_the_diff_does() -> None:
    compared = 0
    for number in range(1500):
        case = make_case(Random(f"candidate/{number}"))
        if any(entry.mode != REGULAR for entry in case.tree.values()):
            continue
        wanted = ours(case)
        base = {p: e.data.decode("utf-8", "surrogateescape") for p, e in case.tree.items()}
        try:
            patch = patch_of(case.diff, base) if wanted is not None else Patch()
        except PatchDoesNotApplyError as error:
            assert "text alone" in str(error)
            continue
        if wanted is None:
            continue
        compared += 1
        after = {p: t.encode("utf-8", "surrogateescape") for p, t in applied(patch, base).items()}
        assert after == {path: entry.data for path, entry in wanted.items()}
        rendered = parse_diff(render_diff(patch, base).encode("utf-8", "surrogateescape"))
        assert applied(patch_from_diff(rendered, base), base) == applied(patch, base)
    assert compared > 80


@given(old=TEXTS, new=TEXTS)
def test_git_makes_and_removes_files_as_the_rendered_diff_says(old: str, new: str) -> None:
    base = {"gone": old, "kept": old}
    patch = diff_texts(base, {"gone": None, "kept": new, "made": new})
    assert applied(patch, base) == {"kept": new, "made": new}
    assert (patch.created, patch.deleted) == (("made",), ("gone",))


def test_the_rendered_diff_of_new_and_deleted_files_is_one_for_git(tmp_path: Path) -> None:
    base = {"gone": "a\nb", "emptied": "x\n", "no lines": ""}
    texts = {"gone": None, "emptied": "", "new/sp ace": "n\n", "new/\té": "", "no lines": None}
    patch = diff_texts(base, texts)
    diff = render_diff(patch, base).encode()
    assert GitApply(tmp_path)(Case(_entries(base), diff)) == _entries(applied(patch, base))


def _entries(texts: dict[str, str]) -> dict[str, FileEntry]:
    return {path: FileEntry(REGULAR, text.encode()) for path, text in texts.items()}


@pytest.mark.parametrize(
    ("diff", "what"),
    [
        (HEADER + b"old mode 100644\nnew mode 100755\n", "the mode 100755"),
        (HEADER + b"new file mode 120000\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n", "120000"),
        (HEADER + b"new file mode 160000\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n", "160000"),
        (HEADER + b"new file mode 100755\n", "the mode 100755"),
        (HEADER + b"index 1..2\nBinary files a/f and b/f differ\n", "binary data"),
    ],
)
def test_what_is_not_text_is_refused_by_name(diff: bytes, what: str) -> None:
    with pytest.raises(PatchDoesNotApplyError, match=f"'f': a patch may change text.* {what}"):
        patch_of(b"prose\n" + diff, {"f": "x\n"})


def test_a_rename_deletes_and_creates() -> None:
    patch = patch_of(b"diff --git a/f b/g\nrename from f\nrename to g\n", {"f": "x\n"})
    assert patch == Patch(
        (Hunk("f", 1, ("x\n",), ()), Hunk("g", 1, (), ("x\n",))), created=("g",), deleted=("f",)
    )


def test_distant_edits_stay_hunks_of_their_own() -> None:
    base = {"f": "".join(f"{n}\n" for n in range(100))}
    diff = b"--- a/f\n+++ b/f\n@@ -2,3 +2,3 @@\n 1\n-2\n+two\n 3\n"
    diff += b"@@ -91,3 +91,3 @@\n 90\n-91\n+x\n 92\n"
    assert patch_of(diff, base).hunks == (
        Hunk("f", 3, ("2\n",), ("two\n",)),
        Hunk("f", 92, ("91\n",), ("x\n",)),
    )


def test_comparing_large_files_that_are_all_alike_takes_no_time() -> None:
    size = 30_000
    old, new = "a\n" * size, "b\n" + "a\n" * (size - 2) + "c\n" * size
    body = "".join(f"-{line}\n" for line in old.split()) + "".join(f"+{x}\n" for x in new.split())
    diff = f"--- a/f\n+++ b/f\n@@ -1,{size} +1,{2 * size - 1} @@\n{body}".encode()
    started = time.process_time()
    assert applied(patch_of(diff, {"f": old}), {"f": old}) == {"f": new}
    assert time.process_time() - started < 5


def test_a_patch_does_not_create_what_is_there_or_delete_what_has_lines_left() -> None:
    with pytest.raises(PatchDoesNotApplyError, match="exists already"):
        Patch(created=("f",)).apply({"f": ""})
    with pytest.raises(PatchDoesNotApplyError, match="not all of its lines"):
        Patch(deleted=("f",)).apply({"f": "x\n"})
    with pytest.raises(PatchDoesNotApplyError, match="lacks"):
        Patch(deleted=("f",)).apply({})


def test_creating_and_deleting_tell_digests_apart_and_editing_keeps_its_own() -> None:
    edit = Patch((Hunk("f", 1, (), ("x\n",)),))
    digests = {edit.digest, Patch(edit.hunks, created=("f",)).digest, Patch(deleted=("f",)).digest}
    assert len(digests | {Patch().digest, Patch(created=("f",)).digest}) == 5
    assert edit.digest.startswith("8592f9376bf8b59d")  # as in stores of earlier versions
