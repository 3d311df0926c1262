"""Files of a commit without its history, and folders that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from apr.core.errors import BadInputError, EnvironmentUnusableError

GIT_S = 300.0


def find_clone(repository: str, folder: Path) -> Path:
    """The clone of OWNER/NAME below a folder: OWNER__NAME, OWNER/NAME or NAME, bare or not.

    Raises:
        BadInputError: when there is none.
    """
    owner, _, name = repository.partition("/")
    for each in (f"{owner}__{name}", f"{owner}/{name}", name):
        for candidate in (folder / each, folder / f"{each}.git"):
            if (candidate / ".git").exists() or (candidate / "objects").is_dir():
                return candidate
    raise BadInputError(f"{folder} has no clone of {repository}, such as {owner}__{name}")


def write_commit(clone: Path, commit: str, folder: Path) -> None:
    """Write the commit's files, all of them: an archive would leave out what it is told to."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {"GIT_INDEX_FILE": str(Path(scratch, "index"))}
        here = ["--git-dir", str(find_git_dir(clone)), "--work-tree", str(folder.resolve())]
        git([*here, "read-tree", commit], folder, environment=environment)
        git([*here, "checkout-index", "--all", "--force"], folder, environment=environment)


def read_committed(clone: Path, commit: str, path: str) -> bytes:
    """A file as it is in a commit of the clone.

    Raises:
        BadInputError: when there is none.
    """
    return git(["--git-dir", str(find_git_dir(clone)), "show", f"{commit}:{path}"], clone)


def find_git_dir(clone: Path) -> Path:
    """Where the objects of a clone are, bare or not."""
    inner = clone / ".git"
    return (inner if inner.exists() else clone).resolve()


def git(
    arguments: Sequence[str],
    folder: Path,
    text: str = "",
    environment: dict[str, str] | None = None,
) -> bytes:
    """What git says in `folder`, given `text`; no repository above the folder is found.

    Raises:
        BadInputError: when it fails.
        EnvironmentUnusableError: when there is no git, or it does not come to an end.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            input=text.encode("utf-8", "surrogateescape"),
            env={
                **os.environ,
                "GIT_CEILING_DIRECTORIES": str(folder.parent),
                **(environment or {}),
            },
            capture_output=True,
            check=True,
            timeout=GIT_S,
        )
    except FileNotFoundError as error:
        raise EnvironmentUnusableError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise EnvironmentUnusableError(f"git took more than {GIT_S:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BadInputError(f"git failed on {folder.name}: {' '.join(said)}") from error
    return done.stdout


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A new folder that gets its name only when it is finished; another's is as good."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        yield made
        made.chmod(0o755)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def digest(parts: Sequence[str]) -> str:
    """A short name for what is made of these parts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
