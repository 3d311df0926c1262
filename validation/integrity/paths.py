"""Which files a patch may touch: the subject's source, and nothing that decides about tests."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from apr.core.scope import (
    is_configuration_path,
    is_foreign_path,
    is_test_path,
    matches_glob,
)
from validation.integrity.violation import ViolationKind

SOURCE_SUFFIXES = (
    ".py", ".java", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".c", ".h", ".cc", ".cpp",
    ".cxx", ".hh", ".hpp",
)  # fmt: skip
"""New files with another ending are never source."""

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".husky", ".githooks"})
_VERSION_CONTROL_FILES = frozenset(
    {
        ".gitattributes",
        ".gitmodules",
        ".gitconfig",
        ".pre-commit-config.yaml",
        ".pre-commit-hooks.yaml",
    }
)
_CI_FOLDERS = frozenset({".github", ".gitlab", ".circleci", ".buildkite", ".teamcity", ".azure"})
_CI_FILES = re.compile(
    r"\.gitlab-ci\.ya?ml|\.travis\.yml|appveyor\.yml|\.appveyor\.yml|azure-pipelines\.ya?ml"
    r"|jenkinsfile|\.cirrus\.ya?ml|bitbucket-pipelines\.yml|codecov\.yml|\.codecov\.yml"
)
_STARTUP_FILES = re.compile(
    r"(?:site|user)customize(?:\.py|\.pyc|/.*)|.*\.pth|entry_points\.txt|pyvenv\.cfg|\.pythonrc\.py"
    r"|__pycache__|.*\.py[cdo]|.*\.so|.*\.dll|.*\.dylib|.*\.jar|.*\.class|\.npmrc|\.yarnrc.*"
    r"|\.node-version|\.env|\.envrc|\.python-version|\.mvn|\.java-version"
)
_STARTUP_FOLDERS = re.compile(
    r"sitecustomize|usercustomize|.*\.(?:egg|dist)-info|__pycache__|\.mvn"
)
_TEST_CONFIGURATION = re.compile(
    r"conftest\.py|pytest\.ini|\.pytest\.ini|pytest\.toml|\.pytest\.toml|pyproject\.toml|setup\.py"
    r"|setup\.cfg|tox\.ini|tox\.toml|noxfile\.py|\.coveragerc|manifest\.in|pipfile(?:\.lock)?"
    r"|(?:requirements|constraints)[^/]*\.(?:txt|in)|poetry\.lock|uv\.lock|pdm\.lock"
    r"|environment\.ya?ml|hatch\.toml|nose\.cfg|\.noserc|unittest\.cfg|behave\.ini|runtests\.py"
    r"|package(?:-lock)?\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-[\w-]+\.yaml"
    r"|(?:jest|karma|mocha|vitest|vite|ava|jasmine|cypress|playwright|babel|webpack|rollup|wdio)"
    r"[\w-]*\.(?:config|conf|setup|preset|workspace)[\w.-]*"
    r"|\.(?:mocharc|babelrc|nycrc|swcrc|c8rc|taprc)[\w.]*|jasmine\.json|mocha\.opts"
    r"|tsconfig[\w.-]*\.json|gruntfile\.[\w.]+|gulpfile\.[\w.]+"
    r"|pom\.xml|(?:build|settings)\.gradle(?:\.kts)?|gradle\.properties|gradlew(?:\.bat)?"
    r"|mvnw(?:\.cmd)?|build\.xml|testng[\w-]*\.xml|junit-platform\.properties|\.classpath"
    r"|makefile(?:\..+)?|gnumakefile|.*\.mk|.*\.mak|cmakelists\.txt|.*\.cmake|ctest\w*\.\w+"
    r"|configure(?:\.ac|\.in)?|meson\.build|meson_options\.txt|wscript|sconstruct|justfile"
    r"|dockerfile(?:\..+)?|\.dockerignore|build\.bazel|workspace|build|apr\.toml|bug\.toml"
)
_RUNNERS = frozenset(
    {
        "pytest", "_pytest", "py", "pluggy", "iniconfig", "unittest", "unittest2", "mock",
        "doctest", "nose", "nose2", "xdist", "pytest_cov", "hypothesis", "coverage", "apr_harness",
        "_distutils_hack", "setuptools", "pip", "pkg_resources",
    }
)  # fmt: skip
"""Modules that run tests or are imported before them; one of the subject's own would take over."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a patch of this subject may touch.

    `globs` are the patterns of files that the user wants repaired (empty: all source that is no
    test). `tests` are the ids of the baseline's tests: a patch that names one is refused.
    """

    globs: tuple[str, ...] = ()
    tests: Collection[str] = field(default=())

    def names(self, path: str) -> bool:
        """Whether the user spelled out exactly this file."""
        return any(glob.removeprefix("./") == path for glob in self.globs)


def judge_path(
    path: str, sources: Mapping[str, str], scope: Scope, is_new: bool
) -> tuple[ViolationKind, str] | None:
    """Why a patch may not touch the file, as its kind and what the file is; None: it may.

    `path` is relative to the subject, with forward slashes. `sources` are the files that the
    repair set out to patch, and `is_new` says that the patch creates the file.
    """
    problem = _outside(path)
    if problem is not None:
        return ViolationKind.OUTSIDE_SUBJECT, problem
    if scope.names(path):
        return None
    return _protected(path, path in sources) or _beyond(path, sources, scope, is_new)


def _outside(path: str) -> str | None:
    """The subject is the world of a patch: no way leads out of it."""
    if not path or "\0" in path or "\n" in path or "\r" in path:
        return "is no name of a file"
    if path.startswith("/") or "\\" in path or re.match(r"[A-Za-z]:", path):
        return "is no relative path"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "is not a path inside the subject"
    return None


def _protected(path: str, is_source: bool) -> tuple[ViolationKind, str] | None:
    """Files that decide what runs before, around and after the tests, by their names.

    File systems that fold case make `.GIT/hooks` and `Conftest.py` the real thing.
    """
    parts = tuple(part.lower() for part in PurePosixPath(path).parts)
    name, folders = parts[-1], parts[:-1]
    if any(part in _VERSION_CONTROL or part.startswith(".git~") for part in parts):
        return ViolationKind.VERSION_CONTROL, "belongs to version control"
    if name in _VERSION_CONTROL_FILES:
        return ViolationKind.VERSION_CONTROL, "belongs to version control"
    if any(part in _CI_FOLDERS for part in folders) or _CI_FILES.fullmatch(name):
        return ViolationKind.CONTINUOUS_INTEGRATION, "belongs to continuous integration"
    if _STARTUP_FILES.fullmatch(name) or any(map(_STARTUP_FOLDERS.fullmatch, folders)):
        return ViolationKind.STARTUP, "is loaded before any test"
    if _TEST_CONFIGURATION.fullmatch(name):
        return ViolationKind.TEST_CONFIGURATION, "decides how the tests are built or run"
    if not is_source and is_test_path(path):
        return ViolationKind.TESTS, "is a test or a test's data"
    if not is_source and is_configuration_path(path):
        return ViolationKind.TEST_CONFIGURATION, "decides how the program is built or tested"
    return None


def _beyond(
    path: str, sources: Mapping[str, str], scope: Scope, is_new: bool
) -> tuple[ViolationKind, str] | None:
    """What is left: files that are no source, and new ones that would take a library's place."""
    if path in sources:
        return None
    if not is_new or not path.endswith(SOURCE_SUFFIXES) or is_foreign_path(path):
        return ViolationKind.OUTSIDE_SCOPE, "is none of the files under repair"
    if scope.globs and not any(matches_glob(path, glob) for glob in scope.globs):
        return ViolationKind.OUTSIDE_SCOPE, "matches no pattern of files under repair"
    shadowed = _shadowed_module(path, sources)
    if shadowed is not None:
        return ViolationKind.SHADOWING, f"would be imported instead of {shadowed}"
    return None


def _shadowed_module(path: str, sources: Mapping[str, str]) -> str | None:
    """The library module that a new file hides: its first folder or itself, at an import root."""
    if not path.endswith(".py"):
        return None
    parts = PurePosixPath(path).parts
    for depth, part in enumerate(parts):
        inside = "/".join((*parts[:depth], "__init__.py"))
        if depth and inside in sources:
            return None
        module = part.removesuffix(".py")
        is_runner = module in _RUNNERS or module.startswith("pytest_")
        if is_runner or module in sys.stdlib_module_names:
            return module
    return None


def import_roots(sources: Mapping[str, str]) -> frozenset[str]:
    """The names by which the subject's own Python modules can be imported."""
    roots: set[str] = set()
    for path in sources:
        parts = PurePosixPath(path).parts
        if not path.endswith(".py"):
            continue
        roots.add(parts[0].removesuffix(".py"))
        depth = len(parts) - 1
        while depth and "/".join((*parts[:depth], "__init__.py")) in sources:
            depth -= 1
        roots.add(parts[depth].removesuffix(".py"))
    return frozenset(roots)
