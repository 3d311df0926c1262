"""The scratch copy: how a writable start gets a folder of its own instead of the workspace.

The live workspace is visible, read-only, at the path that `SOURCE_VARIABLE` names; the copy
lies on a memory file system of limited size at the mount point and vanishes with the sandbox.
A shell fills it before the program begins, says so, and waits for permission to go on.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.scope import matches_glob
from validation.sandbox.stream import StreamProcess

SOURCE = "/apr/source"
SOURCE_VARIABLE = "APR_SOURCE"
READY = b"ready"
FILL_TIMEOUT_S = 300.0
MAX_ENTRIES = 200_000
MAX_DEPTH = 64
# $1 is what is mounted inside the copy, as "|a/b|c|": not ours to write. A folder that holds
# such a place is entered, everything else is copied whole. `cp -a` keeps nanoseconds and links.
FILL = r"""
mounted=$1; shift
fill() {
  inside=$1; set --
  for entry in "$APR_SOURCE/$inside"* "$APR_SOURCE/$inside".[!.]* "$APR_SOURCE/$inside"..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    place=${entry#"$APR_SOURCE"/}
    case "$mounted" in
      *"|$place|"*) ;;
      *"|$place/"*) mkdir -p "./$place" && (fill "$place/") || return 1 ;;
      *) set -- "$@" "$entry" ;;
    esac
  done
  [ $# -eq 0 ] || cp -a "$@" "./$inside"
}
fill "" </dev/null || { echo "the subject cannot be copied into the sandbox" >&2; exit 1; }
"""
GO = 'echo ready; read -r go && exec "$@"'


def filling(argv: Sequence[str], point: str, over: Iterable[str]) -> list[str]:
    """The command that fills the scratch copy at `point`, its working folder, and becomes `argv`.

    `over` are the absolute paths that are mounted inside `point`.
    """
    inside = [str(PurePosixPath(path).relative_to(point)) for path in over]
    mounted = "".join(f"|{path}" for path in inside) + "|"
    return ["/bin/sh", "-c", FILL + GO, "sh", mounted, *argv]


def waiting(argv: Sequence[str]) -> list[str]:
    """The same without a copy."""
    return ["/bin/sh", "-c", GO, "sh", *argv]


def await_filled(process: StreamProcess, workspace_mib: int) -> None:
    """Wait until the scratch copy is there; the program begins when it is sent a line feed.

    Raises:
        EnvironmentUnusableError: when the subject does not fit or cannot be read.
    """
    try:
        await_shell(process)
    except SandboxDiedError as error:
        raise EnvironmentUnusableError(
            f"no scratch copy of the subject ({workspace_mib} MiB at most) can be made: {error}"
        ) from error


def await_shell(process: StreamProcess) -> None:
    """Wait until the shell is up; raises SandboxDiedError when it is not to be."""
    try:
        line = process.receive_line(FILL_TIMEOUT_S)
    except TimeoutError as error:
        raise SandboxDiedError(f"the sandbox does not start: {error}") from error
    if line != READY:
        raise SandboxDiedError(f"the sandbox does not start: {line.decode('utf-8', 'replace')}")


def matches(path: str, globs: Sequence[str]) -> bool:
    """Whether a relative POSIX path matches one of `globs`, read from the subject's folder on."""
    return any(matches_glob(path, f"/{glob.removeprefix('./')}") for glob in globs)


def is_newer(path: str, modified_ns: int, workspace: Path) -> bool:
    """Whether a file of the scratch copy is more than a copy of the workspace's own file."""
    try:
        return modified_ns > (workspace / path).lstat().st_mtime_ns
    except OSError:
        return True


def read_new(
    folder: int, workspace: Path, globs: Sequence[str], limit_bytes: int
) -> dict[str, bytes]:
    """The regular files below the descriptor `folder` that match and are newer than the subject's.

    To be called when nobody can change the folder any more. No link is followed; what is over
    `limit_bytes` in all, unreadable or absurdly deep is left out.
    """
    found: dict[str, bytes] = {}
    for path in sorted(_new_files(folder, workspace, globs)):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(limit_bytes + 1)
            limit_bytes -= len(data)
            if limit_bytes < 0:
                break
            found[path] = data
    return found


def _new_files(folder: int, workspace: Path, globs: Sequence[str]) -> Iterator[str]:
    pending, seen = [""], 0
    while pending and seen < MAX_ENTRIES:
        inside = pending.pop()
        with contextlib.suppress(OSError), _scan(folder, inside) as entries:
            for entry in entries:
                seen += 1
                path = inside + entry.name
                info = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode) and path.count("/") < MAX_DEPTH:
                    pending.append(f"{path}/")
                elif (
                    stat.S_ISREG(info.st_mode)
                    and matches(path, globs)
                    and is_newer(path, info.st_mtime_ns, workspace)
                ):
                    yield path


@contextlib.contextmanager
def _scan(folder: int, inside: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    descriptor = os.open(inside or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)
