"""Which files of a subject a patch may touch: source, and neither tests nor configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from apr.core.errors import BadInputError

_TEST_FOLDERS = frozenset(
    {"test", "tests", "testcases", "__tests__", "__mocks__", "spec", "specs", "e2e"}
)
_TEST_FOLDER = re.compile(r"(?:unit|integration|functional)[-_]?tests?|tests?[-_]data")
_TEST_NAMES = (
    re.compile(r"tests?\.py|test_.*\.py|.*_tests?\.py|conftest\.py"),
    re.compile(r"Tests?[A-Z]\w*\.(?:java|kt|scala|groovy)"),
    re.compile(r"\w*(?:Test|Tests|TestCase|[a-z0-9]IT)\.(?:java|kt|scala|groovy)"),
    re.compile(r".+[.\-_](?:test|tests|spec)\.(?:js|jsx|ts|tsx|mjs|cjs|mts|cts)"),
    re.compile(r"(?:test_.*|.*_test|.*_unittest)\.(?:c|cc|cpp|cxx|h|hpp|go|rs)"),
)
_CONFIGURATION_NAMES = re.compile(
    r"setup\.py|conftest\.py|sitecustomize\.py|versioneer\.py|_version\.py"
    r"|(?:gulp|grunt)file\.[cm]?[jt]s|.*\.config\.[cm]?[jt]sx?|\..*rc\.[cm]?js",
    re.IGNORECASE,
)
_ROOT_CONFIGURATION = frozenset({"noxfile.py", "fabfile.py", "tasks.py", "dodo.py", "docs", "doc"})
_FOREIGN_FOLDERS = frozenset(
    {"node_modules", "bower_components", "site-packages", "__pycache__", "venv", "third_party"}
)
_ROOT_FOREIGN = frozenset({"env", "build", "dist", "target", "vendor"})


def is_test_path(path: str) -> bool:
    """Whether conventions of pytest, unittest, Maven, jest… make the file a test or a test aid.

    `path` is POSIX and relative to the subject.
    """
    parts = PurePosixPath(path).parts
    folders = [part.lower() for part in parts[:-1]]
    in_folder = any(part in _TEST_FOLDERS or _TEST_FOLDER.fullmatch(part) for part in folders)
    in_testcases = any(part.endswith("_testcases") for part in folders)
    named = bool(parts) and any(name.fullmatch(parts[-1]) for name in _TEST_NAMES)
    return in_folder or in_testcases or named


def is_configuration_path(path: str) -> bool:
    """Whether the file serves building, testing or documenting the program."""
    pure = PurePosixPath(path)
    at_root = pure.parts[:1] and pure.parts[0].lower() in _ROOT_CONFIGURATION
    return bool(at_root) or _CONFIGURATION_NAMES.fullmatch(pure.name) is not None


def is_foreign_path(path: str) -> bool:
    """Whether the file lies in a hidden, generated or vendored folder."""
    folders = [part.lower() for part in PurePosixPath(path).parts[:-1]]
    at_root = bool(folders) and folders[0] in _ROOT_FOREIGN
    return at_root or any(part.startswith(".") or part in _FOREIGN_FOLDERS for part in folders)


def source_paths(
    paths: Iterable[str], globs: Sequence[str] = (), suffixes: Sequence[str] = (".py",)
) -> tuple[str, ...]:
    """The paths a patch may touch, sorted.

    Without globs: every file with one of `suffixes` that is neither test, configuration nor
    foreign. With globs, read as in .gitignore (a pattern without a slash matches at any depth, a
    folder stands for all in it, `**` spans folders): the files they match that are no tests. A
    pattern that spells out a whole path names that file whatever it looks like.

    Raises:
        BadInputError: when a glob holds an impossible character range such as `[z-a]`.
    """
    return tuple(sorted({path for path in paths if _is_source(path, globs, tuple(suffixes))}))


def _is_source(path: str, globs: Sequence[str], suffixes: tuple[str, ...]) -> bool:
    if path in {_clean(glob) for glob in globs}:
        return True
    if not path.endswith(suffixes) or is_test_path(path):
        return False
    if globs:
        return any(matches_glob(path, glob) for glob in globs)
    return not is_configuration_path(path) and not is_foreign_path(path)


def matches_glob(path: str, glob: str) -> bool:
    """Whether the file, or a folder it lies in, matches the .gitignore-like pattern."""
    return _compile_glob(_clean(glob)).fullmatch(path) is not None


def _clean(glob: str) -> str:
    return glob.removeprefix("./").rstrip("/")


@lru_cache(maxsize=256)
def _compile_glob(glob: str) -> re.Pattern[str]:
    anchored = "/" in glob
    body = "".join(_translate(token) for token in _TOKENS.findall(glob.lstrip("/")))
    try:
        return re.compile(("" if anchored else "(?:.*/)?") + body + "(?:/.*)?", re.DOTALL)
    except re.error as error:
        raise BadInputError(f"{glob!r} is no usable pattern for files: {error}") from None


_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)


def _translate(token: str) -> str:
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in special:
        return special[token]
    if len(token) > 2 and token.startswith("["):
        negated = token[1] == "!"
        members = re.sub(r"[^\w-]|(?<!\w)-|-(?!\w)", r"\\\g<0>", token[1 + negated : -1])
        return f"[{'^/' if negated else ''}{members}]"
    return re.escape(token)
