"""Patches: applying, comparing and rendering, with git as the reference for the diffs."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apr.core.errors import PatchDoesNotApplyError
from apr.core.patch import Hunk, Patch, diff_texts, render_diff, split_lines

LINES = st.lists(st.sampled_from(["a", "b", "", "\tc", "d\r", "\x0ce", "é"]), max_size=12)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


@given(TEXTS, TEXTS)
def test_a_diff_turns_the_old_text_into_the_new_one(old: str, new: str) -> None:
    patch = diff_texts({"f": old}, {"f": new})
    assert patch.apply({"f": old}).get("f", old) == new


@given(TEXTS)
def test_splitting_loses_nothing_and_splits_at_line_feeds_only(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all("\n" not in line[:-1] for line in lines)


@settings(max_examples=60, deadline=None)
@given(old=TEXTS, new=TEXTS)
def test_git_applies_the_rendered_diff_to_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str
) -> None:
    if not old or not new:
        return  # creating and deleting files is no repair
    folder = tmp_path_factory.mktemp("git")
    patch = diff_texts({"f.txt": old}, {"f.txt": new})
    (folder / "f.txt").write_bytes(old.encode())
    (folder / "p.diff").write_bytes(render_diff(patch, {"f.txt": old}).encode())
    if patch.hunks:
        command = ["git", "apply", "--whitespace=nowarn", "p.diff"]
        subprocess.run(command, cwd=folder, check=True, timeout=30)
    assert (folder / "f.txt").read_bytes() == new.encode()


def test_hunks_of_one_file_apply_against_the_base_and_not_one_after_the_other() -> None:
    base = {"f": "1\n2\n3\n4\n"}
    patch = Patch((Hunk("f", 1, ("1\n",), ()), Hunk("f", 4, ("4\n",), ("four\n", "five\n"))))
    assert patch.apply(base) == {"f": "2\n3\nfour\nfive\n"}


def test_a_hunk_without_old_lines_inserts_before_its_line() -> None:
    assert Patch((Hunk("f", 2, (), ("x\n",)),)).apply({"f": "1\n2\n"}) == {"f": "1\nx\n2\n"}


def test_an_insertion_at_the_end_of_the_file_applies() -> None:
    assert Patch((Hunk("f", 3, (), ("x\n",)),)).apply({"f": "1\n2\n"}) == {"f": "1\n2\nx\n"}


@pytest.mark.parametrize(
    "hunk",
    [
        Hunk("f", 1, ("other\n",), ("x\n",)),
        Hunk("f", 9, (), ("x\n",)),
        Hunk("missing", 1, ("1\n",), ("x\n",)),
    ],
)
def test_a_hunk_that_does_not_match_is_refused(hunk: Hunk) -> None:
    with pytest.raises(PatchDoesNotApplyError):
        Patch((hunk,)).apply({"f": "1\n2\n"})


def test_the_digest_tells_patches_apart_by_every_part_of_a_hunk() -> None:
    hunks = [
        Hunk("f", 1, ("a",), ("b",)),
        Hunk("g", 1, ("a",), ("b",)),
        Hunk("f", 2, ("a",), ("b",)),
        Hunk("f", 1, ("ab",), ()),
        Hunk("f", 1, ("a",), ("b", "")),
    ]
    digests = [Patch((hunk,)).digest for hunk in hunks[:4]]
    assert len(set(digests)) == 4
    assert Patch().digest != digests[0]


def test_bytes_that_are_no_utf8_survive(tmp_path: Path) -> None:
    data = b"caf\xe9\nx = 1\n"
    text = data.decode("utf-8", "surrogateescape")
    patch = diff_texts({"f": text}, {"f": text.replace("1", "2")})
    changed = patch.apply({"f": text})["f"]
    assert changed.encode("utf-8", "surrogateescape") == b"caf\xe9\nx = 2\n"
