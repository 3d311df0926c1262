"""A bug's buggy version from a clone of its project's history, without Defects4J's own programs.

The steps are those of the framework's checkout: the fixed revision, what makes it compile, and
then the difference to the buggy version, which touches the program alone. Neither the history nor
the fix is left in the folder.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from apr.core.errors import BadInputError
from apr.datasets.defects4j.metadata import Entry, Framework

LAYOUTS = (
    ("src/main/java", "src/test/java"),
    ("src/java", "src/test"),
    ("src/java", "src/test/java"),
)
TELLING = ("changes", "site", "xdocs", "docs")
RESOURCES = ("src/main/resources", "src/test/resources")


def check_out(framework: Framework, repository: Path, entry: Entry, target: Path) -> None:
    """Make the folder `target` with the buggy version.

    Raises:
        BadInputError: when the clone lacks the revision, or a patch does not fit it.
    """
    target.mkdir(parents=True)
    _extract(repository, entry.fixed, target)
    _remove_what_tells(target)
    for patch in framework.repairs_of_build(entry.project, entry.number):
        apply(target, decode(patch.read_bytes()), str(patch))
    for path in target.rglob("*.java"):
        path.write_bytes(decode(path.read_bytes()).encode())
    _rename_enum_packages(target)
    patch = framework.reference_patch(entry.project, entry.number)
    apply(target, decode(patch.read_bytes()), str(patch))


def find_layout(subject: Path) -> tuple[str, str]:
    """The folders of the program's and of its tests' sources.

    Raises:
        BadInputError: when they are in none of the usual places.
    """
    for source, tests in LAYOUTS:
        if (subject / source).is_dir() and (subject / tests).is_dir():
            return source, tests
    raise BadInputError(f"{subject} has its sources in none of the usual folders")


def decode(data: bytes) -> str:
    """Old sources that are no UTF-8 are Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def apply(folder: Path, patch: str, name: str) -> None:
    """Apply a patch to the files of a folder.

    Raises:
        BadInputError: when it does not fit.
    """
    # Inside somebody's repository git would take the paths to start there.
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    done = _git(["apply", "--whitespace=nowarn", "-"], folder, patch.encode(), outside)
    if done.returncode:
        raise BadInputError(f"{name} does not fit the checkout: {_said(done)}")


def _extract(repository: Path, revision: str, target: Path) -> None:
    done = _git(["archive", "--format=tar", revision], repository)
    if done.returncode:
        raise BadInputError(f"{repository} has no revision {revision}: {_said(done)}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")


def _remove_what_tells(target: Path) -> None:
    """Release notes, lists of changes and the web site describe the fix."""
    for path in (*target.iterdir(), *target.glob("src/*")):
        if path.is_file() or path.name in TELLING:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _rename_enum_packages(root: Path) -> None:
    """`enum` has been a reserved word since Java 5; the framework says oldenum."""
    for folder in [path for path in root.rglob("enum") if path.is_dir()]:
        for path in folder.rglob("*.java"):
            text = path.read_text("utf-8")
            path.write_text(re.sub(r"\.enum;", ".oldenum;", text), "utf-8")
        folder.rename(folder.with_name("oldenum"))


def _git(
    arguments: Sequence[str],
    folder: Path,
    data: bytes | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    if not folder.is_dir():
        raise BadInputError(f"there is no folder {folder}")
    argv = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(
        argv, cwd=folder, input=data, capture_output=True, env=environment, check=False
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stderr.decode("utf-8", "replace").strip()[-300:]
