"""A bug's buggy version from a clone of its project's history, without Defects4J's own programs.

The steps are those of the framework's checkout: the fixed revision, what makes it compile, and
then the difference to the buggy version, which touches the program alone. Neither the history nor
the fix is left in the folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from apr.core.errors import BadInputError
from apr.datasets.checkouts import git, write_commit
from apr.datasets.defects4j.metadata import Entry, Framework

LAYOUTS = (
    ("src/main/java", "src/test/java"),
    ("src/java", "src/test"),
    ("src/java", "src/test/java"),
)
TELLING = ("changes", "site", "xdocs", "docs")
RESOURCES = ("src/main/resources", "src/test/resources")


def check_out(framework: Framework, repository: Path, entry: Entry, target: Path) -> None:
    """Fill the empty folder `target` with the buggy version.

    Raises:
        BadInputError: when the clone lacks the revision, or a patch does not fit it.
    """
    write_commit(repository, entry.fixed, target)
    _remove_what_tells(target)
    for patch in framework.repairs_of_build(entry.project, entry.number):
        _apply(target, patch)
    for path in target.rglob("*.java"):
        path.write_bytes(decode(path.read_bytes()).encode())
    _rename_enum_packages(target)
    _apply(target, framework.reference_patch(entry.project, entry.number))


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


def _apply(folder: Path, patch: Path) -> None:
    try:
        git(["apply", "--whitespace=nowarn", "-"], folder, decode(patch.read_bytes()))
    except BadInputError as error:
        raise BadInputError(f"{patch} does not fit the checkout: {error}") from error


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
