"""A subject made ready for repair: copied, sandboxed, its files sorted into source and tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from apr.core.bug import Bug, RunnerKind
from apr.core.errors import BadInputError
from apr.core.ports import Sandbox
from apr.core.scope import is_test_path, source_paths
from apr.settings import AppSettings, RunSettings
from validation.runners.base import RunLimits, TestRunner
from validation.runners.detect import make_runner
from validation.runners.java_harness import compiled_harness, libraries
from validation.runners.python import toolbox
from validation.runners.session import HARNESS_ROOT
from validation.sandbox.images.build import BuildSettings
from validation.sandbox.images.request import mount_in_image
from validation.sandbox.images.resolve import ImageSettings, subject_image
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox
from validation.sandbox.switch import Switch
from validation.temporary import temporary_folder
from validation.workspace import SourceTree, Workspace, copy_subject, safe_path

SUFFIXES = (".py", ".java", ".js", ".mjs", ".cjs", ".jsx", ".c", ".h")
MAX_TEST_BYTES = 1_000_000
SESSION_S = 3600  # after that a warm process is ended, and another takes its place


@dataclass(frozen=True, slots=True)
class PreparedSubject:
    """A pristine private copy of the subject, and what runs its tests.

    `sources` are the files a patch may touch, `test_sources` the tests, both by relative path;
    `skipped` are source files left out because they are no UTF-8 text. `digest` identifies the
    content of the copy, `image` the container's image if there is one.
    """

    bug: Bug
    workspace: Workspace
    sandbox: Sandbox
    runner: TestRunner
    limits: RunLimits
    sources: Mapping[str, str]
    test_sources: Mapping[str, str]
    skipped: tuple[str, ...]
    digest: str
    image: str | None = None


@contextmanager
def prepare_subject(
    bug: Bug, settings: RunSettings, switch: Switch | None = None
) -> Iterator[PreparedSubject]:
    """Copy the subject and open a sandbox for it, under the switch; the copy vanishes at the end.

    Raises:
        BadInputError: when the subject is no folder or has no source that could be patched.
        EnvironmentUnusableError: when it cannot be copied or no sandbox works.
    """
    subject = Path(bug.subject)
    if not subject.is_dir():
        raise BadInputError(f"there is no folder {bug.subject}")
    with (
        _open_image(bug, settings) as image,
        temporary_folder("subject") as folder,
        closing(open_sandbox(settings.sandbox, make_policy(bug, settings), image)) as opened,
    ):
        sandbox = opened if switch is None else switch.guard(opened)
        root = folder / (subject.name or "subject")
        copy_subject(subject, root)
        _add_tests(bug, root)
        original = folder / "original"
        copy_subject(root, original)
        files = SourceTree(root)
        names = list(files)
        paths = source_paths(names, bug.source_globs, SUFFIXES)
        # A symbolic link is listed but never read, let alone patched.
        readable = {path: text for path in paths if (text := files.get(path)) is not None}
        sources = {path: text for path, text in readable.items() if _is_text(text)}
        if not sources:
            raise BadInputError(_no_sources(bug, paths))
        yield PreparedSubject(
            bug=bug,
            workspace=Workspace(root, original),
            sandbox=sandbox,
            runner=make_runner(bug.test_command, sandbox),
            limits=RunLimits(settings.test_timeout_s, settings.suite_timeout_s),
            sources=sources,
            test_sources=_test_sources(files, names),
            skipped=tuple(path for path in readable if path not in sources),
            digest=_digest(original, names),
            image=image,
        )


def _add_tests(bug: Bug, root: Path) -> None:
    for path, text in bug.added_tests:
        target = safe_path(root, path)
        if target.exists():
            raise BadInputError(f"{bug.subject} has a file {path}, which was to be added")
        target.write_text(text, encoding="utf-8", errors="surrogatepass")
        target.chmod(0o644)


@contextmanager
def _open_image(bug: Bug, settings: RunSettings) -> Iterator[str | None]:
    if settings.image is None:
        yield None
        return
    with subject_image(settings.image, Path(bug.subject), image_settings(AppSettings())) as image:
        yield image


def image_settings(settings: AppSettings) -> ImageSettings:
    """How this installation builds and keeps images."""
    return ImageSettings(
        settings.data_dir / "images",
        settings.sandbox_disk_mib,
        BuildSettings(settings.wheels, settings.build_network, settings.build_timeout_s),
    )


def make_policy(bug: Bug, settings: RunSettings) -> SandboxPolicy:
    """What the subject's tests may use; the workspace appears at the subject's own path.

    That way an editable install and absolute paths lead to the patched copy.
    """
    readable: tuple[str, ...] = ()
    if bug.test_command.kind is RunnerKind.JUNIT:
        readable = (str(compiled_harness()), *map(str, libraries()))
    elif bug.test_command.kind.is_python:
        # An image brings its own interpreter; ours would only be in the way.
        in_image = settings.image is not None
        python = () if in_image else python_readable_paths(bug.test_command.python)
        readable = (*python, str(HARNESS_ROOT), str(toolbox()))
    return SandboxPolicy(
        memory_mib=settings.memory_mib,
        workspace_mib=max(1, settings.memory_mib // 2),
        wall_seconds=SESSION_S + 2 * int(settings.suite_timeout_s),
        readable_paths=readable,
        mount_at=mount_in_image(settings.image, bug.subject),
        limit_address_space=bug.test_command.kind.is_python,
    )


def _is_text(text: str) -> bool:
    """No surrogate escapes: the bytes were UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in text)


def _no_sources(bug: Bug, paths: tuple[str, ...]) -> str:
    if paths:
        return f"{paths[0]} is not UTF-8 text, so it cannot be repaired"
    wanted = f" matches {', '.join(bug.source_globs)}" if bug.source_globs else " can be repaired"
    return f"no source file in {bug.subject}{wanted}"


def _test_sources(files: SourceTree, names: list[str]) -> dict[str, str]:
    tests = (path for path in names if path.endswith(SUFFIXES) and is_test_path(path))
    texts = {path: files.get(path, "") for path in tests}
    return {path: text for path, text in texts.items() if len(text) <= MAX_TEST_BYTES}


def _digest(root: Path, names: list[str]) -> str:
    sha = hashlib.sha256()
    for name in sorted(names):
        path = root / name
        data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        sha.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return sha.hexdigest()
