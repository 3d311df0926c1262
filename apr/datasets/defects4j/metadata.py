"""What the Defects4J framework knows about a bug, read from its folder `framework/projects`."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from apr.core.bug import TestId
from apr.core.errors import BadInputError

_NAME = re.compile(r'my \$name\s*=\s*"([\w.-]+)"')
_LISTED = "--- "
_RANGE = re.compile(r".*-(\d+)-(\d+)\.diff")


@dataclass(frozen=True, slots=True)
class Entry:
    """One active bug of a project.

    `fixed` is the revision with the developer's fix and its tests. `relevant` are the test classes
    that load a class which the fix changes. `excluded` are tests that Defects4J takes out, since
    they fail there or at random.
    """

    project: str
    number: int
    fixed: str
    report: str
    triggers: tuple[TestId, ...]
    relevant: tuple[str, ...]
    modified: tuple[str, ...]
    excluded: tuple[TestId, ...]

    @property
    def name(self) -> str:
        """As the literature calls the bug: Lang-1."""
        return f"{self.project}-{self.number}"


@dataclass(frozen=True, slots=True)
class Framework:
    """A checkout of the framework."""

    root: Path

    def folder(self, project: str) -> Path:
        """The project's metadata.

        Raises:
            BadInputError: when the framework has no such project.
        """
        folder = self.root / "framework" / "projects" / project
        if not (folder / "active-bugs.csv").is_file():
            raise BadInputError(f"{self.root} is no Defects4J framework with a project {project}")
        return folder

    def repository_name(self, project: str) -> str:
        """What the clone of the project's history is called, such as commons-lang.

        Raises:
            BadInputError: when the framework does not say.
        """
        module = self.root / "framework" / "core" / "Project" / f"{project}.pm"
        found = _NAME.search(module.read_text("utf-8")) if module.is_file() else None
        if found is None:
            raise BadInputError(f"{module} does not name the repository of {project}")
        return found[1]

    def entries(self, project: str) -> list[Entry]:
        """The active bugs of a project, by number."""
        folder = self.folder(project)
        with (folder / "active-bugs.csv").open(encoding="utf-8", newline="") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: int(row["bug.id"]))
        return [_make_entry(project, folder, row) for row in rows]

    def reference_patch(self, project: str, number: int) -> Path:
        """The file with the difference from the fixed to the buggy version."""
        return self.folder(project) / "patches" / f"{number}.src.patch"

    def repairs_of_build(self, project: str, number: int) -> list[Path]:
        """Patches that make a revision compile on later versions of Java, in order."""
        found = sorted((self.folder(project) / "compile-errors").glob("*.diff"))
        return [path for path in found if _covers(path.name, number)]

    def libraries(self, project: str) -> list[Path]:
        """The archives that the project's tests need besides JUnit; of several versions, the last.

        The harness brings JUnit.
        """
        found: dict[str, Path] = {}
        for path in sorted((self.folder(project) / "lib").rglob("*.jar"), key=_version):
            artifact = re.sub(r"-\d.*", "", path.stem)
            if artifact not in ("junit", "hamcrest-core", "hamcrest-all"):
                found[artifact] = path
        return sorted(found.values())


def _version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.stem)]


def _covers(name: str, number: int) -> bool:
    found = _RANGE.fullmatch(name)
    return found is not None and int(found[1]) <= number <= int(found[2])


def _make_entry(project: str, folder: Path, row: dict[str, str]) -> Entry:
    number, fixed = int(row["bug.id"]), row["revision.id.fixed"]
    excluded = (
        *_listed(folder / "failing_tests" / fixed),
        *_listed(folder / "dependent_tests"),
        *_listed(folder / "random_tests"),
    )
    broken = {test for test in excluded if "::" not in test}
    relevant = _lines(folder / "relevant_tests" / str(number))
    return Entry(
        project=project,
        number=number,
        fixed=fixed,
        report=row.get("report.id", ""),
        triggers=_listed(folder / "trigger_tests" / str(number)),
        relevant=tuple(name for name in relevant if name not in broken),
        modified=_lines(folder / "modified_classes" / f"{number}.src"),
        excluded=tuple(test for test in excluded if test.partition("::")[0] in relevant),
    )


def _listed(path: Path) -> tuple[TestId, ...]:
    """The tests of a file in which each has a line of its own, and a stack trace below."""
    lines = _lines(path)
    return tuple(TestId(line[len(_LISTED) :]) for line in lines if line.startswith(_LISTED))


def _lines(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    lines = path.read_text("utf-8", "replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip())
