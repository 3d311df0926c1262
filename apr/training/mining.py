"""Real fixes from git histories: small changes whose commit message speaks of a fix or a bug.

The history is read as one stream (`git log --patch`), the files as they were before from one
`git cat-file`: nothing is checked out. Merges, tests, comments, and changes of blanks alone are
left out, and so is whatever git calls binary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from random import Random

from git import Repo

from apr.generation.retrieval import LineIndex
from apr.generation.seq2seq.format import language_of
from apr.training.examples import MINED, Example, Hunk, Place, make_example, widen
from apr.training.functions import Functions, functions_of

MAX_FILES = 3
MAX_HUNKS = 3
MAX_LINES = 12
"""Removed, and likewise added, lines of one file."""
MAX_FILE_BYTES = 200_000

_FIX = re.compile(
    r"\b(?:bug|bugs|fix|fixe[sd]|fixing|bugfix|hotfix|crash\w*|regression|leak\w*|"
    r"overflow|incorrect\w*|wrong\w*|broken|race|deadlock|off.by.one|null.?pointer)\b",
    re.I,
)
_NOT_A_FIX = re.compile(
    r"\b(?:typos?|spelling|docs?|docstrings?|documentation|comments?|lint|linter|flake8|pep-?8|"
    r"format(?:ting)?|style|whitespace|indentation|changelog|readme|tests?|bump|checkstyle|javadoc)\b",
    re.I,
)
_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|spec|specs|__tests__|vendor|third_party|node_modules|dist|build)/"
    r"|(?:^|[/_.-])(?:tests?|spec)\.[a-z]+$|(?:^|/)test_|Tests?\.java$",
    re.I,
)
_COMMENT = {
    "python": re.compile(r"#.*$"),
    "java": re.compile(r"//.*$|/\*.*?\*/|^\s*\*.*$|^\s*/\*.*$"),
}
_HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_COMMIT = "\x01"
_GREP = "bug|fix|crash|regress|leak|overflow|incorrect|wrong|broken|race|deadlock|off.by|pointer"
PATTERNS = ("*.py", "*.java", "*.js", "*.jsx", "*.mjs", "*.c", "*.h")


@dataclass(slots=True)
class FileChange:
    """What a commit did to one file; `before` is the id of its former content."""

    path: str
    before: str = ""
    hunks: list[Hunk] = field(default_factory=list)
    removed: int = 0
    added: int = 0


@dataclass(slots=True)
class Commit:
    """A commit's message and what it changed."""

    message: str
    files: list[FileChange] = field(default_factory=list)


def mine(repository: Repo, project: str, seed: int = 0) -> Iterator[Example]:
    """The examples in a repository's history, the newest first."""
    random = Random(f"{project}/{seed}")
    seen: set[tuple[str, str]] = set()
    for commit in read_history(repository):
        for change in _wanted(commit):
            for example in _examples(repository, project, change, random):
                if (example.source, example.target) not in seen:
                    seen.add((example.source, example.target))
                    yield example


def read_history(repository: Repo) -> Iterator[Commit]:
    """Every commit with one parent whose message may speak of a fix."""
    process = repository.git.log(
        *("HEAD", "--no-merges", "--diff-filter=M", "-i", "-E", f"--grep={_GREP}"),
        *("-p", "-U0", "--full-index", "--no-renames", "--no-color", "--no-ext-diff"),
        *(f"--format={_COMMIT}%B{_COMMIT}", "--", *PATTERNS),
        as_process=True,
    )
    lines = (line.decode("utf-8", "replace").rstrip("\n") for line in process.stdout)
    yield from parse_history(lines)
    process.wait()


def parse_history(lines: Iterable[str]) -> Iterator[Commit]:
    """The commits in what `git log` prints."""
    commit: Commit | None = None
    change: FileChange | None = None
    in_message = False
    for line in lines:
        if line.startswith(_COMMIT) or (in_message and line.endswith(_COMMIT)):
            if line.startswith(_COMMIT) and not in_message:
                if commit:
                    yield commit
                commit, change = Commit(line.strip(_COMMIT)), None
                in_message = not (len(line) > 1 and line.endswith(_COMMIT))
            else:
                in_message = False
        elif commit is None:
            continue
        elif in_message:
            commit.message += "\n" + line
        elif line.startswith("diff --git "):
            change = FileChange("")
            commit.files.append(change)
        elif change is not None:
            _read_line(change, line)
    if commit:
        yield commit


def _read_line(change: FileChange, line: str) -> None:
    """Take in one line of a file's diff."""
    if line.startswith("@@ "):
        found = _HEADER.match(line)
        if found:
            count = int(found[2] or 1)
            # Git counts from the line before a place where something is inserted.
            change.hunks.append(Hunk(int(found[1]) + (not count), count, ()))
    elif change.hunks:
        if line.startswith("-"):
            change.removed += 1
        elif line.startswith("+") and change.added <= MAX_LINES:
            change.added += 1
            last = change.hunks[-1]
            change.hunks[-1] = Hunk(last.first, last.count, (*last.fixed, line[1:].rstrip("\r")))
    elif line.startswith("index "):
        change.before = line[6:].split("..")[0]
    elif line.startswith("--- a/"):
        change.path = line[6:].rstrip("\t")


def _wanted(commit: Commit) -> Iterator[FileChange]:
    """The files of a commit that look like a fix, and no more than one."""
    subject = commit.message.split("\n", 1)[0]
    if not _FIX.search(commit.message) or _NOT_A_FIX.search(subject):
        return
    files = [change for change in commit.files if change.path and not is_test(change.path)]
    if len(files) > MAX_FILES:
        return
    for change in files:
        small = change.removed <= MAX_LINES and change.added <= MAX_LINES
        if small and 1 <= len(change.hunks) <= MAX_HUNKS:
            yield change


def is_test(path: str) -> bool:
    """Whether a path is that of a test, or of code from elsewhere."""
    return _TEST.search(path) is not None


def _examples(
    repository: Repo, project: str, change: FileChange, random: Random
) -> Iterator[Example]:
    language = language_of(change.path)
    lines = _former_lines(repository, change)
    if language is None or not lines:
        return
    real = [hunk for hunk in change.hunks if is_code(language, lines, hunk)]
    if not real or (language == "python" and _is_import_only(lines, real)):
        return
    functions = functions_of(language, lines)
    # Not for most files: indexing is slow, and at repair there may be nothing to retrieve.
    index = LineIndex({change.path: "\n".join(lines)}) if random.random() < 0.3 else None
    for hunk in real:
        wide = widen(hunk, lines, random)
        place = place_of(project, language, lines, wide, functions, index)
        example = make_example(place, wide, MINED, str(len(change.hunks)))
        if example is not None:
            yield example


def place_of(
    project: str,
    language: str,
    lines: list[str],
    hunk: Hunk,
    functions: Functions,
    index: LineIndex | None,
) -> Place:
    """The hunk's file with the function around."""
    around = functions.around(hunk.first, hunk.first + max(hunk.count - 1, 0))
    span = (around.first, around.last) if around else None
    name = around.name.rsplit(".", 1)[-1] if around else ""
    return Place(project, language, lines, span, name, index)


def is_code(language: str, lines: list[str], hunk: Hunk) -> bool:
    """Whether the hunk changes more than comments and blanks."""
    before = lines[hunk.first - 1 : hunk.first - 1 + hunk.count]
    return _bare(language, before) != _bare(language, hunk.fixed)


def _bare(language: str, lines: Iterable[str]) -> str:
    comment = _COMMENT.get(language, _COMMENT["java"])
    return "".join("".join(comment.sub("", line).split()) for line in lines)


def _is_import_only(lines: list[str], hunks: list[Hunk]) -> bool:
    changed = [
        line.strip()
        for hunk in hunks
        for line in (*lines[hunk.first - 1 : hunk.first - 1 + hunk.count], *hunk.fixed)
    ]
    return all(line.startswith(("import ", "from ")) or not line for line in changed)


def _former_lines(repository: Repo, change: FileChange) -> list[str]:
    """The file before the commit; empty when it is too long or written by a machine."""
    if not change.before or PurePosixPath(change.path).name.endswith(".min.js"):
        return []
    _, _, size, stream = repository.git.stream_object_data(change.before)
    content = stream.read()
    if size > MAX_FILE_BYTES or b"\0" in content:
        return []
    lines = content.decode("utf-8", "replace").split("\n")
    return [line.rstrip("\r") for line in lines]
