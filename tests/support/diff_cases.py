"""Trees and diffs for comparing with `git apply`: sound ones, mutated ones, and plain nonsense.

Everything is drawn from one `random.Random`, which may be Hypothesis' own.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import zlib
from dataclasses import dataclass
from random import Random

from apr.core.diff import FileEntry

REGULAR, EXECUTABLE, SYMLINK, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o160000
NO_NEWLINE = b"\\ No newline at end of file\n"

Tree = dict[str, FileEntry]

PATHS = (
    *("a", "b", "f.txt", "d/a", "d/b", "d/e/f", "d/e/g", "sp ace", "caf\xe9", "f.txt.orig", "a~"),
    *("tab\there", 'quo"te', "back\\slash", "byte\udcff", "ctrl\x01", "cr\rname", "nl\nname"),
)
HOSTILE_PATHS = (
    *("../x", "/etc/x", ".git/config", "d/.GIT/x", "git~1", ".git . ", "a//b", "./a", "d/../a"),
    *("", "d", "d/", "a/b", "link/x", "sub", "sub/x", ".gitmodules", "GITMOD~1", "gi7eba~1", "..."),
    *(
        "d/e",
        "x/y/z",
        "-a",
        "dev/null",
        "x" * 300,
        "c:a",
        "a\\.git",
        ".gitignore",
        "com1",
        ".git:x",
    ),
)
TEXTS = (
    b"a",
    b"b",
    b"c",
    b"",
    b"x y",
    b" a",
    b"a ",
    b"\ta",
    b"}",
    b"-- a",
    b"++ b",
    b"@@ -1 +1 @@",
)
ODD_TEXTS = (
    b"a\r",
    b"caf\xe9",
    b"nul\0",
    b"\x0c",
    b"\\ No newline at end of file",
    b"diff --git a/a b/a",
)


@dataclass(frozen=True)
class Case:
    """A tree, and a diff that someone wants applied to it."""

    tree: Tree
    diff: bytes


def make_case(random: Random) -> Case:
    """Any case: two in three begin with a sound diff."""
    tree = make_tree(random)
    if random.random() < 0.12:
        return Case(tree, make_nonsense(random, tree))
    changed = tree
    parts = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        part, changed = make_diff(random, changed)
        parts.append(part)
    if random.random() < 0.1:
        random.shuffle(parts)
    diff = b"".join(parts)
    if random.random() < 0.25:
        tree = drift(random, tree)
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        diff = mutate(random, diff)
    return Case(tree, diff)


def make_tree(random: Random) -> Tree:
    """A few files, now and then a link or a submodule; no file lies where a folder must be."""
    tree: Tree = {}
    for path in random.sample(PATHS, random.randint(1, 5)):
        mode = random.choice((REGULAR, REGULAR, REGULAR, EXECUTABLE))
        tree[path] = FileEntry(mode, make_text(random))
    if random.random() < 0.12:
        tree["link"] = FileEntry(SYMLINK, random.choice((b"a", b"d", b"nowhere", b"../a")))
    if random.random() < 0.08:
        tree["sub"] = FileEntry(SUBMODULE, b"")
    return tree


def make_text(random: Random) -> bytes:
    """Lines from so small an alphabet that they repeat; at times without a final line end."""
    pool = TEXTS if random.random() < 0.8 else TEXTS + ODD_TEXTS
    end = b"\r\n" if random.random() < 0.08 else b"\n"
    length = random.choice((0, 1, 2, 3, 5, 8, 13, 30))
    text = b"".join(random.choice(pool) + end for _ in range(length))
    return text[: -len(end)] if text and random.random() < 0.25 else text


def edit_text(random: Random, text: bytes) -> bytes:
    """Some lines inserted, removed or replaced."""
    lines = text.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        place = random.randint(0, len(lines))
        action = random.random()
        if action < 0.4:
            lines.insert(place, random.choice(TEXTS))
        elif lines and action < 0.7:
            del lines[min(place, len(lines) - 1)]
        elif lines:
            lines[min(place, len(lines) - 1)] = random.choice(TEXTS + ODD_TEXTS)
    return b"\n".join(lines)


def drift(random: Random, tree: Tree) -> Tree:
    """The tree as it is somewhere else: other lines, missing files, files in the way."""
    drifted = dict(tree)
    for path in list(tree):
        entry = tree[path]
        if entry.mode in (REGULAR, EXECUTABLE) and random.random() < 0.6:
            extra = b"".join(random.choice(TEXTS) + b"\n" for _ in range(random.randint(1, 6)))
            place = random.choice((0, len(entry.data)))
            data = entry.data[:place] + extra + entry.data[place:]
            drifted[path] = FileEntry(entry.mode, data)
        elif random.random() < 0.15:
            del drifted[path]
    if random.random() < 0.3:
        path = random.choice(PATHS)
        drifted[path] = FileEntry(REGULAR, make_text(random))
    return drifted


def make_diff(random: Random, tree: Tree) -> tuple[bytes, Tree]:
    """A sound change of one file, and the tree after it."""
    files = [path for path, entry in tree.items() if entry.mode != SUBMODULE]
    action = random.random()
    if not files or action < 0.15:
        path = random.choice(PATHS if random.random() < 0.8 else HOSTILE_PATHS)
        mode = random.choice((REGULAR, REGULAR, EXECUTABLE, SYMLINK, SUBMODULE, 0o100600, 0o40000))
        data = b"a" if mode == SYMLINK else make_text(random)
        if mode == SUBMODULE:
            data = b"Subproject commit " + b"1" * 40 + b"\n"
        new = FileEntry(mode, data)
        return render(random, path, None, path, new), {**tree, path: new}
    path = random.choice(files)
    old = tree[path]
    rest = {name: entry for name, entry in tree.items() if name != path}
    if action < 0.27:
        return render(random, path, old, path, None), rest
    new = FileEntry(old.mode, edit_text(random, old.data) if random.random() < 0.85 else old.data)
    if random.random() < 0.15 and old.mode != SYMLINK:
        new = FileEntry(EXECUTABLE if old.mode == REGULAR else REGULAR, new.data)
    if action < 0.42:
        target = random.choice(PATHS if random.random() < 0.8 else HOSTILE_PATHS)
        is_copy = random.random() < 0.4
        text = render(random, path, old, target, new, is_copy=is_copy)
        return text, {**(tree if is_copy else rest), target: new}
    return render(random, path, old, path, new), {**tree, path: new}


def render(
    random: Random,
    old_path: str,
    old: FileEntry | None,
    new_path: str,
    new: FileEntry | None,
    *,
    is_copy: bool = False,
) -> bytes:
    """The change as git or another diff would write it."""
    if old and new and old_path == new_path and random.random() < 0.2:
        return render_traditional(random, old_path, old, new)
    lines = [b"diff --git " + quote("a/" + old_path) + b" " + quote("b/" + new_path) + b"\n"]
    if old is None and new is not None:
        lines.append(b"new file mode %o\n" % new.mode)
    elif new is None and old is not None:
        lines.append(b"deleted file mode %o\n" % old.mode)
    elif old is not None and new is not None:
        if old.mode != new.mode:
            lines += [b"old mode %o\n" % old.mode, b"new mode %o\n" % new.mode]
        if old_path != new_path:
            word = b"copy" if is_copy else b"rename"
            lines.append(b"similarity index %d%%\n" % random.randint(0, 100))
            lines += [word + b" from " + quote(old_path) + b"\n"]
            lines += [word + b" to " + quote(new_path) + b"\n"]
    before, after = (entry.data if entry else b"" for entry in (old, new))
    is_binary = (b"\0" in before + after and random.random() < 0.7) or random.random() < 0.06
    ids = [object_id(entry.data) if entry else b"0" * 40 for entry in (old, new)]
    if is_binary or random.random() < 0.6:
        length = 40 if is_binary else random.choice((7, 7, 40, 3))
        mode = b" %o" % old.mode if old and new and old.mode == new.mode else b""
        lines.append(b"index %s..%s%s\n" % (ids[0][:length], ids[1][:length], mode))
    if is_binary:
        return b"".join(lines) + render_binary(random, before, after)
    if before != after:
        lines.append(b"--- " + (quote("a/" + old_path) if old else b"/dev/null") + b"\n")
        lines.append(b"+++ " + (quote("b/" + new_path) if new else b"/dev/null") + b"\n")
        lines += render_hunks(random, before, after)
    return b"".join(lines)


def render_traditional(random: Random, path: str, old: FileEntry, new: FileEntry) -> bytes:
    prefixes = random.choice((("a/", "b/"), ("", ""), ("x/", "y/"), ("old/", ""), ("", "b/")))
    stamps = random.choice(
        (
            (b"", b""),
            (b"\t2020-01-01 10:00:00.000000000 +0000", b"\t2020-01-02 10:00:00 +0530"),
            (b"\t1970-01-01 00:00:00.000000000 +0000", b"\t2020-01-02 10:00:00 +05:30"),
            (b" 2020-01-01", b"  20-01-01 10:00:00"),
            (b"\tMon Jan  1", b"\t1969-12-31 19:00:00 -0500"),
        )
    )
    names = (prefixes[0] + path, prefixes[1] + path + random.choice(("", "", "", ".orig")))
    raw = [
        name.encode("utf-8", "surrogateescape") + stamp
        for name, stamp in zip(names, stamps, strict=True)
    ]
    if random.random() < 0.2:
        raw[random.randint(0, 1)] = b"/dev/null"
    head = [b"--- " + raw[0] + b"\n", b"+++ " + raw[1] + b"\n"]
    return b"".join(head + render_hunks(random, old.data, new.data))


def render_hunks(random: Random, before: bytes, after: bytes) -> list[bytes]:
    context = random.choice((3, 3, 3, 1, 0, 2, 30))
    old, new = (text.decode("latin-1").split("\n") for text in (before, after))
    ended = [
        [*(line + "\n" for line in lines[:-1]), *([lines[-1]] if lines[-1] else [])]
        for lines in (old, new)
    ]
    result = []
    for line in list(difflib.unified_diff(*ended, n=context))[2:]:
        data = line.encode("latin-1")
        result.append(data if data.endswith(b"\n") else data + b"\n" + NO_NEWLINE)
    return result


def render_binary(random: Random, before: bytes, after: bytes) -> bytes:
    if random.random() < 0.15:
        return b"Binary files a/x and b/x differ\n"
    text = b"GIT binary patch\n" + binary_block(random, before, after)
    if random.random() < 0.7:
        text += binary_block(random, after, before)
    return text


def binary_block(random: Random, before: bytes, after: bytes) -> bytes:
    if before and random.random() < 0.4:
        data, word = make_delta(before, after), b"delta"
    else:
        data, word = after, b"literal"
    packed = zlib.compress(data)
    lines = [word + b" %d\n" % len(data)]
    for start in range(0, len(packed), 52):
        piece = packed[start : start + 52]
        letter = chr(len(piece) + (ord("A") - 1 if len(piece) <= 26 else ord("a") - 27))
        padded = piece + b"\0" * (-len(piece) % 4)
        lines.append(letter.encode() + base64.b85encode(padded) + b"\n")
    return b"".join([*lines, b"\n"])


def make_delta(before: bytes, after: bytes) -> bytes:
    """Copy the common beginning, insert the rest."""
    pairs = enumerate(zip(before, after, strict=False))
    common = next((i for i, (a, b) in pairs if a != b), min(len(before), len(after)))
    delta = bytearray(varint(len(before)) + varint(len(after)))
    if common:
        delta += bytes([0x80 | 0x01 | 0x10 | 0x20, 0, common & 0xFF, common >> 8])
    for start in range(common, len(after), 127):
        piece = after[start : start + 127]
        delta += bytes([len(piece)]) + piece
    return bytes(delta)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def object_id(data: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest().encode()


def quote(path: str) -> bytes:
    """A name as git writes it: quoted when it has odd characters."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in raw):
        return raw
    names = {9: b"\\t", 10: b"\\n", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}
    body = (
        names.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte)
        for byte in raw
    )
    return b'"' + b"".join(body) + b'"'


HEADERS = (
    b"diff --git a/a b/a", b"diff --git a/a b/b", b"diff --git a/d/a b/d/a",
    b'diff --git "a/a" b/a', b'diff --git "a/a" "b/a"', b'diff --git a/a "b/a"', b"diff --git a b",
    b"diff --git ", b"diff --git a/sp ace b/sp ace", b"--- a/a", b"+++ b/a", b"--- a/b",
    b"+++ b/b", b"--- /dev/null", b"+++ /dev/null", b"--- a", b"+++ a", b'--- "a/a"', b'+++ "b/a',
    b"old mode 100644", b"new mode 100755", b"old mode ", b"new mode 160000",
    b"deleted file mode 100644", b"new file mode 100644", b"new file mode 120000",
    b"new file mode 160000", b"new file mode 99", b"copy from a", b"copy to c", b"rename from a",
    b"rename to c", b"rename from link", b"rename to d", b"rename old a", b"rename new c",
    b"similarity index 100%", b"index 1..2", b"index 1..2 100755",
    b"index 1234567..89abcde 120000", b"index abc", b"@@ -1 +1 @@", b"@@ -0,0 +1 @@",
    b"@@ -1 +0,0 @@", b"@@ -1,2 +1,2 @@ f", b"@@ -2,0 +3 @@", b"@@ -1,0 +1,0 @@",
    b"@@ -99999999999999999999999,1 +4294967299,1 @@", b"@@ -2,3 +2,3 @@", b"@@ -,1 +1 @@", b"-a",
    b"+b", b"+a", b" a", b" b", b"-b", b"", b" ", b"\\ No newline at end of file", b"\\ No",
    b"prose", b"GIT binary patch", b"literal 0", b"literal 1", b"delta 4", b"HcmV?d00001",
    b"Binary files a and b differ", b"Files differ", b"-- ", b"--- a\t2020-01-01 10:00:00 +0000",
    b"+++ a\t1970-01-01 01:00:00 +0100",
)  # fmt: skip


def make_nonsense(random: Random, tree: Tree) -> bytes:
    """Lines of diffs in any order."""
    lines = [random.choice(HEADERS) for _ in range(random.randint(1, 12))]
    if random.random() < 0.7:
        lines.insert(0, random.choice(HEADERS[:11]))
    data = b"\n".join(lines)
    return data if random.random() < 0.1 else data + b"\n"


def mutate(random: Random, diff: bytes) -> bytes:
    """One change: of a number, a line, a header or any byte."""
    action = random.choice((number_off, line_off, line_off, header_off, bytes_off, ends_off))
    return action(random, diff)


def number_off(random: Random, diff: bytes) -> bytes:
    places = [i for i in range(len(diff)) if diff[i : i + 1].isdigit()]
    if not places:
        return diff
    place = random.choice(places)
    digit = random.choice((b"0", b"1", b"2", b"3", b"9", b"", b"10", b"4294967296"))
    return diff[:place] + digit + diff[place + 1 :]


def line_off(random: Random, diff: bytes) -> bytes:
    lines = diff.splitlines(keepends=True)
    place = random.randrange(len(lines)) if lines else 0
    action = random.randrange(5)
    if action == 0 and lines:
        del lines[place]
    elif action == 1 and lines:
        lines.insert(place, lines[place])
    elif action == 2:
        lines.insert(place, random.choice(HEADERS) + b"\n")
    elif action == 3 and lines:
        lines[place] = random.choice((b" ", b"-", b"+", b"\\", b"")) + lines[place][1:]
    elif lines:
        other = random.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
    return b"".join(lines)


def header_off(random: Random, diff: bytes) -> bytes:
    lines = diff.splitlines(keepends=True)
    places = [i for i, line in enumerate(lines) if line[:1] not in (b" ", b"+", b"-")]
    places += [i for i, line in enumerate(lines) if line[:4] in (b"--- ", b"+++ ")]
    if not places:
        return diff
    place = random.choice(places)
    line = lines[place]
    action = random.randrange(6)
    if action == 0:
        lines[place] = random.choice(HEADERS) + b"\n"
    elif action == 1:
        lines[place] = line.replace(b" ", random.choice((b"  ", b"\t", b"", b" \r", b" \0")), 1)
    elif action == 2:
        path = random.choice(PATHS + HOSTILE_PATHS).encode("utf-8", "surrogateescape")
        first, _, _ = line.rpartition(b"/")
        lines[place] = first + b"/" + path + b"\n"
    elif action == 3:
        lines[place] = line[:-1] + random.choice((b"\r\n", b" \n", b"\t\n", b"x\n", b'"\n'))
    elif action == 4:
        lines[place] = line.replace(b"/", random.choice((b"//", b"", b"/../", b"/.git/")), 1)
    else:
        lines[place] = line.replace(b"a", b"b", 1)
    return b"".join(lines)


def bytes_off(random: Random, diff: bytes) -> bytes:
    place = random.randint(0, len(diff))
    piece = bytes([random.choice((0, 9, 10, 13, 32, 34, 43, 45, 47, 64, 92, 255, 97, 49))])
    action = random.randrange(3)
    if action == 0:
        return diff[:place] + piece + diff[place:]
    return diff[:place] + (piece if action == 1 else b"") + diff[place + 1 :]


def ends_off(random: Random, diff: bytes) -> bytes:
    action = random.randrange(5)
    if action == 0:
        return diff[: random.randint(0, len(diff))]
    if action == 1:
        return diff.rstrip(b"\n")
    if action == 2:
        return diff.replace(b"\n", b"\r\n")
    if action == 3:
        return b"prose\n-- \n" + diff + b"-- \n2.39.5\n"
    return diff + diff
