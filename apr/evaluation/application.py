"""Which files a predicted patch changes, found with git as the official harness applies patches.

Nothing of the subject is run. Git sees only the files that are mentioned, in a scratch folder, and
objects that it makes go there too: the clone is read and never written.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.evaluation.script import GitStep
from validation.temporary import temporary_folder

LIMIT_S = 120.0
WAYS = ("--verbose", "--verbose --3way", "--verbose --reject")
FUZZY = ("patch", "--batch", "--forward", "--fuzz=5", "-p1", "-i")
MENTIONED = re.compile(
    r"^(?:--- |\+\+\+ |(?:rename|copy) (?:from|to) )(?P<path>[^\t\n]+)"
    r"|^diff --git (?P<left>\S+) (?P<right>\S+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as the patch leaves it; `mode` is git's: a link's text is its target."""

    data: bytes
    mode: int

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


@dataclass(frozen=True, slots=True)
class Application:
    """What became of applying a patch; `files` are those that differ from the base commit.

    None stands for a deleted file. `told` is what git said.
    """

    is_applied: bool
    files: Mapping[str, NewFile | None]
    told: str

    @property
    def digest(self) -> str:
        """Equal for patches that lead to the same files."""
        found = hashlib.sha256(str(self.is_applied).encode())
        for path, file in sorted(self.files.items()):
            mode, data = (0, b"") if file is None else (file.mode, file.data)
            head = f"\0{path}\0{mode:o}\0{len(data)}\0"
            found.update(head.encode("utf-8", "surrogateescape") + data)
        return found.hexdigest()


def apply_patch(git_dir: Path, commit: str, patch: str, steps: Sequence[GitStep]) -> Application:
    """Apply the patch to a commit, then take the steps that put the test files into place.

    The empty patch always fits. A step that fails is told and otherwise passed over, as it is by
    the official script.

    Raises:
        BadInputError: when the clone lacks the commit.
        EnvironmentUnusableError: when git or patch is needed and not there.
    """
    with temporary_folder("apply") as folder:
        scratch = _Scratch(git_dir, folder, commit)
        texts = [patch, *(step.text for step in steps)]
        named = [word for step in steps for word in step.arguments[1:]]
        scratch.fill(_mentioned(texts, named))
        is_applied = not patch or _apply(scratch, patch)
        if is_applied:
            for step in steps:
                scratch.git(*step.arguments, text=step.text)
        return Application(is_applied, scratch.changes(), "".join(scratch.told))


def _apply(scratch: _Scratch, patch: str) -> bool:
    """Whether one of the ways works in which the official harness tries it, in its order."""
    path = scratch.write_patch(patch)
    for number, way in enumerate(WAYS):
        if number:
            scratch.reset()
        if scratch.git("apply", *way.split(), path):
            return True
    scratch.reset()
    return scratch.run([*FUZZY, path]) or scratch.git("apply", "--check", "--reverse", path)


class _Scratch:
    """A work tree with a few files of a commit."""

    def __init__(self, git_dir: Path, folder: Path, commit: str) -> None:
        self.told: list[str] = []
        self._folder = folder
        self._tree = folder / "tree"
        self._tree.mkdir()
        (folder / "objects").mkdir()
        self._environment = {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "GIT_DIR": str(git_dir),
            "GIT_WORK_TREE": str(self._tree),
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(git_dir / "objects"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        if not self.git("read-tree", commit):
            raise BadInputError(f"{git_dir} lacks the commit {commit}: {self.told[-1].strip()}")
        self._known: list[str] = []
        self._before: dict[str, NewFile] = {}

    def git(self, *arguments: str, text: str = "") -> bool:
        """Whether a git command succeeds; what it says is kept."""
        return self.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], text)

    def run(self, command: Sequence[str], text: str = "") -> bool:
        """The same for any command in the work tree."""
        try:
            done = subprocess.run(
                command,
                cwd=self._tree,
                env=self._environment,
                input=text.encode("utf-8", "surrogatepass"),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise EnvironmentUnusableError(f"{command[0]} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise EnvironmentUnusableError(f"{command[0]} took over {LIMIT_S:.0f} s") from error
        self.told.append(done.stdout.decode("utf-8", "replace"))
        return done.returncode == 0

    def fill(self, paths: Iterable[str]) -> None:
        """Check out those of `paths` that the commit has."""
        listing = self._folder / "listing"
        with listing.open("wb") as file:
            subprocess.run(
                ["git", "ls-files", "-z"],
                cwd=self._tree,
                env=self._environment,
                stdout=file,
                check=True,
            )
        tracked = set(os.fsdecode(listing.read_bytes()).split("\0"))
        self._known = sorted(tracked.intersection(paths))
        if self._known:
            self.git("checkout-index", "--index", "--force", "--", *self._known)
        self._before = dict(_read(self._tree))

    def write_patch(self, patch: str) -> str:
        """The path of a file with the patch, outside the work tree."""
        path = self._folder / "patch.diff"
        path.write_bytes(patch.encode("utf-8", "surrogatepass"))
        return str(path)

    def reset(self) -> None:
        """Undo what a failed attempt has left, with the official harness's own commands.

        Like those it leaves a file as it is that has been merged with conflicts.
        """
        if self._known:
            self.git("checkout", "--", *self._known)
        self.git("clean", "-fd")

    def changes(self) -> dict[str, NewFile | None]:
        """The files that are not as they were."""
        now = dict(_read(self._tree))
        changed: dict[str, NewFile | None] = {
            path: file for path, file in now.items() if file != self._before.get(path)
        }
        return changed | {path: None for path in self._before if path not in now}


def _mentioned(texts: Iterable[str], named: Iterable[str]) -> Iterator[str]:
    """Paths that patches may mean, with and without their first folder."""
    yield from named
    for text in texts:
        for match in MENTIONED.finditer(text):
            for path in filter(None, match.groups()):
                plain = path.strip().strip('"')
                yield plain
                yield plain.partition("/")[2]


def _read(tree: Path) -> Iterator[tuple[str, NewFile]]:
    for folder, folders, files in os.walk(tree):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*files, *links]:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            link = stat.S_ISLNK(mode)
            data = os.fsencode(path.readlink()) if link else path.read_bytes()
            kind = stat.S_IFLNK if link else stat.S_IFREG | (0o755 if mode & 0o100 else 0o644)
            yield path.relative_to(tree).as_posix(), NewFile(data, kind)
