"""Files that a patch may not touch, whatever it says."""

from __future__ import annotations

import pytest

from apr.core.errors import BadInputError
from apr.core.patch import Hunk, Patch, diff_texts
from validation.integrity import IntegrityGate, IntegritySettings, Scope, ViolationKind
from validation.integrity.gate import parse_reaches
from validation.integrity.paths import import_roots

SOURCES = {
    "src/pkg/__init__.py": "",
    "src/pkg/core.py": "def f():\n    return 1\n",
    "src/pkg/testing.py": "def helper():\n    return 1\n",
    "tool.py": "x = 1\n",
}


def edit(path, old="a = 1\n", new="a = 2\n"):
    return Patch((Hunk(path, 1, (old,), (new,)),))


def create(path, text="a = 1\n"):
    return Patch((Hunk(path, 1, (), (text,)),), created=(path,))


def kind_of(patch, scope=None, settings=None):
    violation = IntegrityGate(SOURCES, scope, settings).check(patch)
    return None if violation is None else violation.kind.value


PROTECTED = {
    "outside-subject": [
        "/etc/passwd", "../x.py", "src/../../x.py", "src//x.py", "./tool.py", "", "a\0b.py",
        "C:/x.py", "src\\pkg\\core.py", "..", "a\nb.py",
    ],
    "tests": ["tests/test_core.py", "tests/data/x.json", "test_core.py", "src/test/java/A.java"],
    "test-configuration": [
        "conftest.py", "src/pkg/conftest.py", "pytest.ini", "pyproject.toml", "setup.cfg",
        "tox.ini", "setup.py", ".coveragerc", "noxfile.py", "package.json", "jest.config.js",
        "karma.conf.js", ".mocharc.cjs", "pom.xml", "build.gradle", "Makefile", "CMakeLists.txt",
        "sub/CONFTEST.PY", "requirements-dev.txt", "Dockerfile", "tsconfig.json",
    ],
    "startup": [
        "sitecustomize.py", "src/usercustomize.py", "evil.pth", "x.egg-info/entry_points.txt",
        "x.dist-info/METADATA", "src/pkg/__pycache__/core.cpython-311.pyc", "src/pkg/core.so",
        "lib/x.jar", "sitecustomize/__init__.py",
    ],
    "version-control": [
        ".git/hooks/pre-commit", ".git/config", ".GIT/config", "sub/.git/hooks/x", ".gitmodules",
        ".gitattributes", ".husky/pre-commit", "git~1/../.git",
    ],
    "continuous-integration": [
        ".github/workflows/ci.yml", ".gitlab-ci.yml", ".travis.yml", ".circleci/config.yml",
    ],
    "outside-scope": ["README.md", "notes/conf.txt", "node_modules/x/index.js", "src/pkg/data.bin"],
    "shadowing": [
        "pytest.py", "typing/__init__.py", "_pytest/__init__.py", "typing.py", "src/json.py",
        "src/pluggy.py", "pytest_evil.py",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in PROTECTED.items() for path in paths]
)
def test_protected_files_may_not_be_created(kind, path):
    found = kind_of(create(path))
    assert found == ("outside-subject" if ".." in path else kind)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (kind, path)
        for kind, paths in PROTECTED.items()
        for path in paths
        if kind not in ("shadowing", "outside-subject") and ".." not in path
    ],
)
def test_protected_files_may_be_neither_edited_nor_deleted(kind, path):
    assert kind_of(edit(path)) == kind
    assert kind_of(Patch((Hunk(path, 1, ("a = 1\n",), ()),), deleted=(path,))) == kind


@pytest.mark.parametrize(
    "patch",
    [
        edit("tool.py", "x = 1\n", "x = 2\n"),
        create("src/pkg/new.py"),
        create("src/pkg/types.py"),  # inside a package it shadows nothing
        create("src/other/new.py"),
        create("lib/jest-utils.ts"),
        create("lib/babel.js"),
        Patch((Hunk("tool.py", 1, ("x = 1\n",), ()),), deleted=("tool.py",)),
        edit("src/pkg/testing.py", "def helper():\n", "def helpers():\n"),
    ],
)
def test_source_files_may_be_edited_created_and_deleted(patch):
    assert kind_of(patch) is None


def test_a_file_that_is_no_source_of_this_repair_is_outside_of_it():
    assert kind_of(edit("src/pkg/unlisted.py")) == "outside-scope"


def test_new_files_must_match_the_patterns_of_the_user():
    scope = Scope(globs=("src/**",))
    assert kind_of(create("src/pkg/new.py"), scope) is None
    assert kind_of(create("lib/new.py"), scope) == "outside-scope"


def test_a_file_that_the_user_names_exactly_may_be_touched():
    sources = {"setup.py": "a = 1\n"}
    patch = diff_texts(sources, {"setup.py": "a = 2\n"})
    assert IntegrityGate(sources, Scope(globs=("setup.py",))).check(patch) is None
    assert IntegrityGate(sources, Scope(globs=("*.py",))).check(patch).kind == "test-configuration"


def test_paths_can_be_allowed_by_pattern_but_not_outside_of_the_subject():
    settings = IntegritySettings(allow_paths=("conftest.py", "docs"))
    assert kind_of(edit("src/pkg/conftest.py"), settings=settings) is None
    assert kind_of(create("docs/index.md"), settings=settings) is None
    assert kind_of(edit("pytest.ini"), settings=settings) == "test-configuration"
    everything = IntegritySettings(allow_paths=("**",))
    assert kind_of(create("../conftest.py"), settings=everything) == "outside-subject"


def test_one_protected_file_condemns_the_whole_patch():
    patch = Patch((*edit("tool.py", "x = 1\n", "x = 2\n").hunks, *edit("pytest.ini").hunks))
    assert kind_of(patch) == "test-configuration"


def test_the_message_says_how_to_allow_it():
    violation = IntegrityGate(SOURCES).check(edit("pytest.ini"))
    assert str(violation) == (
        "the patch touches 'pytest.ini', which decides how the tests are built or run"
        " (--allow-path pytest.ini allows it)"
    )


def test_own_modules_are_those_at_import_roots():
    assert import_roots(SOURCES) == {"src", "pkg", "tool"}


def test_only_known_kinds_can_be_allowed():
    assert parse_reaches(("network",)) == {ViolationKind.NETWORK}
    for text in ("everything", "tests"):
        with pytest.raises(BadInputError, match="no reach that can be allowed"):
            parse_reaches((text,))
