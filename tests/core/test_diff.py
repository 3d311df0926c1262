"""Diffs by hand: the rules of `git apply` that a patch could use against us."""

import time
from pathlib import Path
from random import Random

import pytest

from apr.core.diff import FileEntry, apply_changes, parse_diff
from apr.core.errors import MalformedDiffError, PatchDoesNotApplyError
from support.diff_cases import (
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    Case,
    binary_block,
    object_id,
)
from support.git_apply import GitApply, ours

LINES = b"".join(b"%d\n" % number for number in range(1, 21))
TREE = {
    "a": FileEntry(REGULAR, LINES),
    "d/b": FileEntry(EXECUTABLE, b"x\n"),
    "empty": FileEntry(REGULAR, b""),
    "crlf": FileEntry(REGULAR, b"1\r\n2\r\n3\r\n"),
    "open": FileEntry(REGULAR, b"1\n2"),
    "link": FileEntry(SYMLINK, b"d"),
    "sub": FileEntry(SUBMODULE, b""),
}
CREATE = b"new file mode 100644\n--- /dev/null\n+++ b/%b\n@@ -0,0 +1 @@\n+x\n"


def header(path: bytes) -> bytes:
    return b"diff --git a/%b b/%b\n" % (path, path)


def creation(path: bytes) -> bytes:
    return header(path) + CREATE % path


def edit(old: bytes = b"2", at: int = 1, path: bytes = b"a") -> bytes:
    names = b"--- a/%b\n+++ b/%b\n" % (path, path)
    before, after = b"%d" % (int(old) - 1), b"%d" % (int(old) + 1)
    return names + b"@@ -%d,3 +%d,3 @@\n %b\n-%b\n+new\n %b\n" % (at, at, before, old, after)


def binary_change(path: bytes, old: bytes, new: bytes, *, promised: bytes | None = None) -> bytes:
    index = b"index %b..%b 100644\n" % (
        object_id(old),
        object_id(new if promised is None else promised),
    )
    block = binary_block(Random(1), b"", new)
    return header(path) + index + b"GIT binary patch\n" + block


ACCEPTED = {
    "an edit": edit(),
    "an edit whose lines have moved": edit(b"9", at=3),
    "prose around it": b"Dear all,\n" + edit() + b"-- \n2.39\n",
    "two edits of one file, one after the other": edit() + edit(b"9", at=8),
    "a hunk out of order": edit(b"9", at=8) + b"@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n",
    "a file without a prefix": b"--- a\n+++ a\n@@ -1,2 +1,2 @@\n-1\n+x\n 2\n",
    "a new file in a new folder": creation(b"n/e/w"),
    "a new empty file": header(b"n") + b"new file mode 100644\n",
    "a new file with the mode of a program": creation(b"n").replace(b"100644", b"100755"),
    "a deleted file, its folder with it": header(b"d/b")
    + b"deleted file mode 100755\n--- a/d/b\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
    "a rename": header(b"a") + b"rename from a\nrename to n/a\n",
    "a copy with an edit": b"diff --git a/a b/c\ncopy from a\ncopy to c\n"
    + edit().replace(b"+++ b/a", b"+++ b/c"),
    "a swap of two files": b"diff --git a/a b/d/b\nrename from a\nrename to d/b\n"
    b"diff --git a/d/b b/a\nrename from d/b\nrename to a\n",
    "a mode": header(b"a") + b"old mode 100644\nnew mode 100755\n",
    "line ends of Windows": b"--- a/crlf\n+++ b/crlf\n@@ -1,3 +1,3 @@\n 1\r\n-2\r\n+two\r\n 3\r\n",
    "no final line end, taken away": b"--- a/open\n+++ b/open\n@@ -1,2 +1,2 @@\n 1\n-2\n"
    b"\\ No newline at end of file\n+2\n",
    "a first line for an empty file": b"--- a/empty\n+++ b/empty\n@@ -0,0 +1 @@\n+x\n",
    "quoted names": b'diff --git "a/n\\303\\251" "b/n\\303\\251"\nnew file mode 100644\n',
    "a name that NUL ends": creation(b"n\0m"),
    "a new link": creation(b"l").replace(b"100644", b"120000"),
    "a submodule": header(b"m") + b"new file mode 160000\n--- /dev/null\n+++ b/m\n"
    b"@@ -0,0 +1 @@\n+Subproject commit %b\n" % (b"1" * 40),
    "binary data": binary_change(b"a", LINES, b"\0\1\2"),
    "a file in the place of a folder": header(b"d/b") + b"deleted file mode 100755\n"
    b"--- a/d/b\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n" + creation(b"d"),
    "a line without context, which goes to the end": b"--- a/a\n+++ b/a\n@@ -3,0 +4 @@\n+x\n",
}  # fmt: skip
REFUSED = {
    "nothing": b"",
    "prose": b"Dear all,\nsee below.\n",
    "no match": edit(b"2").replace(b"-2", b"-other"),
    "trailing spaces that differ": edit(b"2").replace(b"-2", b"-2 "),
    "the end of the file at a wrong place": b"--- a/a\n+++ b/a\n@@ -2,2 +2,2 @@\n 2\n-3\n+x\n",
    "too few lines": edit()[:-3],
    "too many lines in the ranges": edit().replace(b"1,3 +", b"1,4 +"),
    "a hunk that changes nothing": b"--- a/a\n+++ b/a\n@@ -1 +1 @@\n 1\n",
    "a hunk without a header": b"@@ -1 +1 @@\n-1\n+x\n",
    "overlapping hunks": edit() + b"@@ -2,2 +2,2 @@\n-2\n+b\n 3\n",
    "a file that is there already": creation(b"a"),
    "a file that is not there": edit(path=b"missing"),
    "one good file and one bad": edit() + edit(path=b"missing"),
    "the parent folder": creation(b"../x"),
    "the parent folder, further in": creation(b"d/../../x"),
    "an absolute path": creation(b"/tmp/x"),
    "git's own folder": creation(b".git/hooks/post-checkout"),
    "git's own folder in other letters": creation(b"d/.GiT/config"),
    "git's own folder by its short name": creation(b"git~1/config"),
    "a file below a link": creation(b"link/x"),
    "a file below a link that the diff makes": header(b"l") + b"new file mode 120000\n"
    b"--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+d\n\\ No newline at end of file\n" + creation(b"l/x"),
    "a link read through": edit(path=b"link/b"),
    "a file below a file": creation(b"a/x"),
    "a file where a folder is": creation(b"d"),
    "a link made of a file": header(b"a") + b"old mode 100644\nnew mode 120000\n",
    "two names": b"diff --git a/a b/c\n" + edit(path=b"d/b"),
    "contradicting headers": header(b"n") + b"new file mode 100644\ndeleted file mode 100644\n",
    "a deletion that leaves lines": header(b"a") + b"deleted file mode 100644\n"
    b"--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n",
    "binary data for another file": binary_change(b"a", b"other", b"new"),
    "binary data other than promised": binary_change(b"a", LINES, b"x", promised=b"1x"),
    "broken binary data": binary_change(b"a", LINES, b"\0").replace(b"literal 1", b"literal 2"),
    "binary data left out": header(b"a") + b"Binary files a/a and b/a differ\n",
    "a name that is too long": creation(b"n" * 256),
    "a deleted file, edited": header(b"d/b") + b"deleted file mode 100755\n"
    b"--- a/d/b\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n--- a/d/b\n+++ b/d/b\n@@ -1 +1 @@\n-x\n+y\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> GitApply:
    return GitApply(tmp_path_factory.mktemp("git"))


@pytest.mark.parametrize("diff", ACCEPTED.values(), ids=ACCEPTED)
def test_what_git_applies_we_apply_to_the_same_bytes(git: GitApply, diff: bytes) -> None:
    expected = git(Case(TREE, diff))
    assert expected is not None
    assert ours(Case(TREE, diff)) == expected


@pytest.mark.parametrize("diff", REFUSED.values(), ids=REFUSED)
def test_what_git_refuses_we_refuse(git: GitApply, diff: bytes) -> None:
    assert git(Case(TREE, diff)) is None
    assert ours(Case(TREE, diff)) is None


def test_a_link_that_a_rename_makes_is_not_written_through() -> None:
    """git checks for links before it moves one, and then writes below it; we do not follow."""
    diff = b"diff --git a/link b/n\nrename from link\nrename to n\n" + creation(b"n/x")
    assert ours(Case(TREE, diff)) is None


def test_a_copy_reads_nothing_outside_the_tree() -> None:
    diff = b"diff --git a/x b/n\ncopy from ../outside\ncopy to n\n"
    assert ours(Case(TREE, diff)) is None


def test_the_order_of_hunks_does_not_decide_which_place_is_nearest() -> None:
    text = FileEntry(REGULAR, b"f\na\nb\nc\nf\na\nb\nc\nf\na\nb\nc\n")
    diff = b"--- a/t\n+++ b/t\n@@ -%d,3 +%d,3 @@\n a\n-b\n+X\n c\n"
    for line, wanted in ((2, 2), (3, 2), (4, 6), (5, 6), (8, 10), (99, 10)):
        result = apply_changes(parse_diff(diff % (line, line)), {"t": text})["t"]
        assert result is not None
        assert result.data.split(b"\n").index(b"X") + 1 == wanted + 1


@pytest.mark.parametrize(
    ("diff", "said"),
    [
        (b"", "there is no change in the diff"),
        (edit() + b"@@ -x +y @@\n", "line 8 of the diff: the ranges of the hunk cannot be read"),
        (b"\n\n@@ -1 +1 @@\n", "line 3 of the diff: a hunk without the name of a file before it"),
        (header(b"a") + b"old mode 9\n", "line 2 of the diff: this is no file mode"),
    ],
)
def test_a_malformed_diff_is_refused_with_the_line(diff: bytes, said: str) -> None:
    with pytest.raises(MalformedDiffError, match=said):
        parse_diff(diff)


def test_a_refusal_names_the_hunk_and_the_file() -> None:
    diff = b"prose\n" + edit().replace(b"-2", b"-other")
    with pytest.raises(
        PatchDoesNotApplyError, match="the hunk in line 4 of the diff does not fit a"
    ):
        apply_changes(parse_diff(diff), TREE)


def hostile_diffs() -> dict[str, tuple[dict[str, FileEntry], bytes]]:
    size = 8_000
    same = FileEntry(REGULAR, b"a\n" * size)
    lines = b" a\n" * (size // 2)
    hunk = b"@@ -2,3 +%d,3 @@\n a\n-a\n+b\n a\n"
    one = b"--- a/t\n+++ b/t\n"
    return {
        "one long line of slashes": ({}, b"diff --git " + b" /" * (size * 10) + b"\n"),
        "quotes that never close": ({}, b'diff --git a "\\"\nrename from a\nrename to b\n' * size),
        "a path of a thousand folders": ({}, creation(b"a/" * size + b"a")),
        "context that almost matches everywhere": (
            {"t": same},
            one + b"@@ -2,%d +2,%d @@\n" % (size // 2 + 2, size // 2 + 2)
            + lines + b"-c\n+b\n a\n",
        ),
        "many hunks far from their places": (
            {"t": same}, one + b"".join(hunk % (2 + n % size) for n in range(size // 4)),
        ),
        "one file changed again and again": ({"t": same}, (one + hunk % 2) * (size // 4)),
        "headers without end": ({}, header(b"a") * size),
        "lines of prose": ({}, b"@@ -\n--- a\n" * size * 5),
        "a literal of a gigabyte": ({"a": same}, header(b"a") + b"index 1..2\n"
            b"GIT binary patch\nliteral 1073741824\nHcmV?d00001\n\n"),
    }  # fmt: skip


@pytest.mark.parametrize("name", hostile_diffs())
def test_no_diff_takes_long(name: str) -> None:
    tree, diff = hostile_diffs()[name]
    started = time.process_time()
    ours(Case(tree, diff))
    assert time.process_time() - started < 20


def test_the_time_grows_with_the_diff_and_not_with_its_square() -> None:
    def seconds(size: int) -> float:
        text = b"".join(b"line %d\n" % n for n in range(size))
        parts = [b"--- a/t\n+++ b/t\n"]
        for n in range(10, size - 10, 20):
            body = b" line %d\n-line %d\n+new\n line %d\n" % (n, n + 1, n + 2)
            parts.append(b"@@ -%d,3 +%d,3 @@\n" % (n + 4, n + 4) + body)
        started = time.process_time()
        changed = apply_changes(parse_diff(b"".join(parts)), {"t": FileEntry(REGULAR, text)})
        assert changed["t"] is not None
        return time.process_time() - started

    seconds(1000)
    assert seconds(40_000) < 40 * max(seconds(4_000), 0.01)


def test_the_tree_is_not_changed(tmp_path: Path) -> None:
    before = dict(TREE)
    apply_changes(parse_diff(edit() + creation(b"n")), TREE)
    assert before == TREE
