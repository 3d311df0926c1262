"""The bugs of Defects4J as subjects that a JDK and JUnit are enough for: no Maven, no Ant."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets.checkouts import find_clone, made_whole
from apr.datasets.dataset import Dataset
from apr.datasets.defects4j import checkout, official
from apr.datasets.defects4j.metadata import Entry, Framework
from apr.datasets.defects4j.reference import reverse_diff
from validation.runners.java import JavaProject, compile_project

OWN = ".apr"
"""The folder of a subject with what we add: archives, and the classes of the unpatched program."""

OWNERS = {"jsoup": "jhy", "joda-time": "JodaOrg", "gson": "google", "mockito": "mockito"}
"""Whose repository it is, where it is not one of Apache's."""

JAVAC = ("-source", "8", "-target", "8", "-encoding", "UTF-8")
# What Defects4J's versions of Java were like: its time zone, Java 8's names of months, open doors.
JAVA = (
    *("-Duser.timezone=America/Los_Angeles", "-Duser.language=en", "-Duser.country=US"),
    "-Djava.locale.providers=COMPAT",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in ("java.lang", "java.lang.reflect", "java.text", "java.util", "java.time")
    ),
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bugs come from: the framework, and a folder with clones of the projects.

    Without clones Defects4J's own program checks the bugs out.
    """

    framework: Framework
    repositories: Path | None

    def repository(self, project: str) -> Path:
        """The clone of a project's history.

        Raises:
            BadInputError: when there is none.
        """
        name = self.framework.repository_name(project)
        return find_clone(f"{OWNERS.get(name, 'apache')}/{name}", self.repositories or Path())


def load(
    framework: Path,
    repositories: Path | None,
    work: Path,
    projects: Sequence[str],
    names: Sequence[str] | None = None,
) -> Dataset:
    """The bugs of the projects, or those named (Lang-1); one subject folder each below `work`.

    A subject that is there already is used again. The developer's patch is read by
    `reference_patch` alone.

    Raises:
        BadInputError: when something is missing or a name is unknown.
    """
    source = Source(Framework(framework), repositories)
    if repositories is None and not official.is_installed():
        raise BadInputError(
            "name the folder with the clones: the program defects4j is not installed"
        )
    entries = {e.name: e for project in projects for e in source.framework.entries(project)}
    unknown = sorted(set(names or ()) - set(entries))
    if unknown or not entries:
        wanted = ", ".join(unknown) or "of any project"
        raise BadInputError(f"{framework} has no active bug {wanted}")
    chosen = [entry for name, entry in entries.items() if names is None or name in names]
    bugs = tuple(_make_bug(source, entry, work / entry.name) for entry in chosen)
    return Dataset(
        "defects4j",
        bugs,
        reference_patch=partial(_reference_patch, source.framework),
    )


def _reference_patch(framework: Framework, bug: Bug) -> str:
    project, _, number = bug.name.rpartition("-")
    patch = framework.reference_patch(project, int(number))
    return reverse_diff(checkout.decode(patch.read_bytes()))


def _make_bug(source: Source, entry: Entry, subject: Path) -> Bug:
    if not subject.is_dir():
        _make_subject(source, entry, subject)
    project = _describe(entry, subject)
    return Bug(
        subject=str(subject.resolve()),
        test_command=TestCommand(RunnerKind.JUNIT, project.argv()),
        trigger_tests=entry.triggers,
        source_globs=(f"{project.sources[0]}/**/*.java",),
        name=entry.name,
        properties=(("project", entry.project), ("report", entry.report)),
    )


def _make_subject(source: Source, entry: Entry, subject: Path) -> None:
    with made_whole(subject) as making:
        if source.repositories is None:
            official.check_out(entry.project, entry.number, making)
            libraries = official.libraries(making)
        else:
            checkout.check_out(source.framework, source.repository(entry.project), entry, making)
            libraries = source.framework.libraries(entry.project)
        (making / OWN / "lib").mkdir(parents=True)
        for library in libraries:
            shutil.copyfile(library, making / OWN / "lib" / library.name)
        # A bug that does not compile stays in the count: whoever runs it is told why.
        with suppress(EnvironmentUnusableError):
            compile_project(_describe(entry, making), making, f"{OWN}/classes")


def _describe(entry: Entry, subject: Path) -> JavaProject:
    """The parts of a subject, from what is in its folder."""
    sources, tests = checkout.find_layout(subject)
    libraries = sorted((subject / OWN / "lib").glob("*.jar"))
    folders = (*checkout.RESOURCES, sources, tests)
    return JavaProject(
        sources=(sources,),
        tests=(tests,),
        suite=entry.relevant,
        libraries=tuple(f"{OWN}/lib/{path.name}" for path in libraries),
        resources=tuple(folder for folder in folders if (subject / folder).is_dir()),
        units=entry.modified,
        excluded=entry.excluded,
        classes=f"{OWN}/classes" if (subject / OWN / "classes").is_dir() else "",
        javac=JAVAC,
        java=JAVA,
    )
