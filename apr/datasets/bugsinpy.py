"""BugsInPy's bugs (Widyasari et al. 2020): the framework's metadata, and clones of its projects.

A subject holds the files of the buggy commit with the test files of the fixed one, and no history.
The developer's patch is the framework's own, and is read by `reference_patch` alone.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.errors import BadInputError
from apr.datasets.checkouts import find_clone, made_whole, read_committed, write_commit
from apr.datasets.dataset import Dataset

PROJECTS = "projects"
INFO, SCRIPT, PATCH = "bug.info", "run_test.sh", "bug_patch.txt"
_FIELD = re.compile(r'^(\w+)[ \t]*=[ \t]*"?([^"\r\n]*)', re.MULTILINE)
_RUNNERS = {"unittest": RunnerKind.UNITTEST, "pytest": RunnerKind.PYTEST}


@dataclass(frozen=True, slots=True)
class _Command:
    """The tests of a script by one runner, named as it names them."""

    runner: RunnerKind
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One bug's metadata."""

    name: str
    repository: str
    buggy: str
    fixed: str
    test_files: tuple[str, ...]
    python_path: str
    script: str


def load(
    framework: Path,
    repositories: Path,
    work: Path,
    names: Sequence[str] | None = None,
    projects: Sequence[str] | None = None,
    python: str = sys.executable,
) -> Dataset:
    """The bugs of the projects, or those named ("youtube-dl-1"); one subject folder each.

    `framework` is a checkout of BugsInPy, `repositories` holds clones of the projects (see
    `find_clone`), and the interpreter `python` has what their tests need.

    Raises:
        BadInputError: when something named is not there, or is not as BugsInPy writes it. A bug
            whose project has no clone, or whose tests are run by something else, says so when it
            is prepared.
    """
    folders = dict(_find_bugs(framework, projects))
    unknown = sorted(set(names or ()) - set(folders))
    if unknown:
        raise BadInputError(f"BugsInPy has no bug named {', '.join(unknown)} in these projects")
    entries = [
        _read_entry(name, folder)
        for name, folder in folders.items()
        if names is None or name in names
    ]
    return Dataset(
        "bugsinpy",
        tuple(_list_bug(each, work / each.name, python) for each in entries),
        prepare=partial(_prepare, {each.name: each for each in entries}, repositories),
        reference_patch=partial(_read_patch, folders),
    )


def _find_bugs(framework: Path, projects: Sequence[str] | None) -> Iterator[tuple[str, Path]]:
    """Names and folders, the bugs of a project by number."""
    root = framework / PROJECTS
    known = sorted(path.name for path in root.glob("*") if (path / "bugs").is_dir())
    if not known:
        raise BadInputError(f"{framework} is no checkout of BugsInPy: it has no {PROJECTS}")
    unknown = sorted(set(projects or ()) - set(known))
    if unknown:
        raise BadInputError(f"BugsInPy has no project {', '.join(unknown)}: {', '.join(known)}")
    for project in known if projects is None else projects:
        folders = [path for path in (root / project / "bugs").iterdir() if path.name.isdigit()]
        for folder in sorted(folders, key=lambda path: int(path.name)):
            yield f"{project}-{folder.name}", folder


def _read_entry(name: str, folder: Path) -> _Entry:
    project = _read_fields(folder.parents[1] / "project.info")
    fields = _read_fields(folder / INFO)
    url = _field(project, "github_url", name).removesuffix("/").removesuffix(".git")
    return _Entry(
        name=name,
        repository="/".join(url.rsplit("/", 2)[-2:]),
        buggy=_field(fields, "buggy_commit_id", name),
        fixed=_field(fields, "fixed_commit_id", name),
        test_files=tuple(filter(None, _field(fields, "test_file", name).split(";"))),
        python_path=fields.get("pythonpath", ""),
        script=_read(folder / SCRIPT),
    )


def _read_fields(path: Path) -> Mapping[str, str]:
    return {name: value.strip() for name, value in _FIELD.findall(_read(path))}


def _field(fields: Mapping[str, str], key: str, name: str) -> str:
    if not fields.get(key):
        raise BadInputError(f"BugsInPy's bug {name} lacks {key}")
    return fields[key]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error


def parse_script(text: str, name: str) -> _Command:
    """The tests that a bug's script runs; unittest's become pytest's where it uses both.

    Raises:
        BadInputError: when a line is neither unittest nor pytest.
    """
    found = [(*_parse_line(line, name),) for line in text.split("\n") if line.strip()]
    runners = {runner for runner, _ in found}
    if not found:
        raise BadInputError(f"the script of BugsInPy's bug {name} runs no test")
    if len(runners) == 1:
        return _Command(found[0][0], tuple(test for _, tests in found for test in tests))
    return _Command(
        RunnerKind.PYTEST,
        tuple(
            test if runner is RunnerKind.PYTEST else _node_id(test)
            for runner, tests in found
            for test in tests
        ),
    )


def _parse_line(line: str, name: str) -> tuple[RunnerKind, list[str]]:
    words = shlex.split(line)
    if words[0].startswith("python") and words[1:2] == ["-m"]:
        words = words[2:]
    runner = _RUNNERS.get(words[0])
    if runner is None:
        raise BadInputError(f"BugsInPy's bug {name} is run by {words[0]}: only pytest and unittest")
    return runner, [word for word in words[1:] if not word.startswith("-")]


def _node_id(test: str) -> str:
    """pytest's name of `package.module.Class.method`, as far as can be told without the files."""
    module, *rest = re.split(r"\.(?=[A-Z])", test, maxsplit=1)
    names = rest[0].split(".") if rest else []
    return "::".join((module.replace(".", "/") + ".py", *names))


def _list_bug(entry: _Entry, subject: Path, python: str) -> Bug:
    """The bug before its files are there, and before anybody knows how its tests are run."""
    environment = (("PYTHONPATH", entry.python_path),) if entry.python_path else ()
    command = TestCommand(RunnerKind.PYTEST, (), python, environment=environment)
    return Bug(str(subject.absolute()), command, base_commit=entry.buggy, name=entry.name)


def _prepare(entries: Mapping[str, _Entry], repositories: Path, bug: Bug) -> Bug:
    """The bug with its files, and the names of its tests."""
    entry, subject = entries[bug.name], Path(bug.subject)
    command = parse_script(entry.script, bug.name)
    if not subject.is_dir():
        _check_out(entry, find_clone(entry.repository, repositories), subject)
    argv = _arguments(command, subject)
    return replace(
        bug,
        test_command=replace(bug.test_command, kind=command.runner, argv=argv),
        trigger_tests=_triggers(command, subject),
    )


def _check_out(entry: _Entry, clone: Path, subject: Path) -> None:
    with made_whole(subject) as folder:
        write_commit(clone, entry.buggy, folder)
        for path in entry.test_files:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read_committed(clone, entry.fixed, path))


def _arguments(command: _Command, subject: Path) -> tuple[str, ...]:
    """The whole test files or modules, so that what passes in them has to go on passing."""
    if command.runner is RunnerKind.PYTEST:
        files = (test.partition("::")[0] for test in command.tests)
        return ("-p", "no:cacheprovider", *dict.fromkeys(files))
    return tuple(dict.fromkeys(_module(test, subject) for test in command.tests))


def _module(test: str, subject: Path) -> str:
    """The module of a dotted name; the name itself when there is none."""
    parts = test.split(".")
    for size in range(len(parts), 0, -1):
        if (subject / ("/".join(parts[:size]) + ".py")).is_file():
            return ".".join(parts[:size])
    return test


def _triggers(command: _Command, subject: Path) -> tuple[TestId, ...]:
    """The named tests; none, so that all that fail count, where names stand for several tests."""
    if command.runner is RunnerKind.UNITTEST:
        exact = all(test != _module(test, subject) for test in command.tests)
    else:
        exact = all(_is_one_test(test, subject) for test in command.tests)
    return tuple(map(TestId, dict.fromkeys(command.tests))) if exact else ()


def _is_one_test(node_id: str, subject: Path) -> bool:
    """Whether a function or method of that name is there and has no parameters of pytest's."""
    path, *names = node_id.split("::")
    try:
        scope: ast.AST = ast.parse((subject / path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    if not names or names[-1].endswith("]"):
        return bool(names)
    for name in names:
        inner = next(
            (n for n in ast.iter_child_nodes(scope) if getattr(n, "name", "") == name), None
        )
        if inner is None or _is_parametrized(inner):
            return False
        scope = inner
    return isinstance(scope, ast.FunctionDef)


def _is_parametrized(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", ())
    return any("parametrize" in ast.unparse(each) for each in decorators)


def _read_patch(folders: Mapping[str, Path], bug: Bug) -> str:
    return (folders[bug.name] / PATCH).read_bytes().decode("utf-8", "surrogateescape")
