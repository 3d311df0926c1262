"""What a verdict depends on besides the subject, its tests and the patch, as one digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import apr.core
from apr.core.bug import RunnerKind, TestCommand
from validation.runners.java_harness import libraries
from validation.sandbox.interpreter import python_readable_paths

JUDGE = Path(__file__).resolve().parent
VOCABULARY = Path(apr.core.__file__).resolve().parent


def environment_digest(
    command: TestCommand, sandbox: str, image: str | None, limits: Mapping[str, Any]
) -> str:
    """A digest of how tests are run: by which code, programs and packages, within which limits.

    `sandbox` is the name of the one in use, `image` identifies its content and not just its name
    (None: this machine's own programs), `limits` are the settings that bound a candidate.

    Raises:
        EnvironmentUnusableError: when the subject's interpreter does not start.
    """
    here = [] if image is not None else list(_programs(command))
    known = {
        "judge": _judge_digest(),
        "host": [sys.version, platform.machine()],
        "command": asdict(command),
        "sandbox": sandbox,
        "image": image,
        "limits": dict(limits),
        "programs": here,
    }
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def image_id(name: str) -> str:
    """The id of the image that a name means at the moment.

    Raises:
        SandboxUnavailableError: when the engine does not know it.
    """
    from validation.sandbox.docker import connect
    from validation.sandbox.images.engine import get_image

    with contextlib.closing(connect()) as client:
        return str(get_image(client, name).id)


@cache
def _judge_digest() -> str:
    """Of this package and the core: a verdict of another version of them is none of this one."""
    sha = hashlib.sha256()
    for root in (JUDGE, VOCABULARY):
        for path in sorted((*root.rglob("*.py"), *root.rglob("*.java"))):
            sha.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return sha.hexdigest()


def _programs(command: TestCommand) -> Iterator[tuple[str, int, int]]:
    """The command's program or interpreter, and what is installed beside that interpreter."""
    if command.kind is RunnerKind.COMMAND:
        program = shutil.which(command.argv[0]) if command.argv else None
        yield from _stamps([program] if program else [])
        return
    if command.kind is RunnerKind.JUNIT:
        java = shutil.which("java")
        yield from _stamps([*([java] if java else []), *map(str, libraries())])
        return
    readable = python_readable_paths(command.python)
    yield from _stamps(readable)
    for folder in readable:
        for packages in sorted(_package_folders(Path(folder))):
            yield from _stamps(sorted(map(str, packages.iterdir())))


def _package_folders(folder: Path) -> Iterator[Path]:
    for name in ("site-packages", "dist-packages"):
        if folder.name == name:
            yield folder
        yield from folder.glob(f"lib*/python3*/{name}")


def _stamps(paths: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of change: a package that is installed anew gets another time."""
    for path in paths:
        try:
            info = Path(path).stat()
        except OSError:
            continue
        yield path, info.st_size, info.st_mtime_ns
