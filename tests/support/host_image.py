"""The root file system of a small image, made of this machine's own files: no network, seconds.

It holds the interpreter that runs the tests at `/usr/bin/python3`, its standard library, pip,
pytest, a shell, the common tools, and every library that these load.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

DISTRIBUTIONS = ("pip", "pytest")
TOOLS = (
    *("sh", "bash", "sleep", "env", "id", "true", "false", "echo", "test", "timeout", "yes", "tee"),
    *("ls", "cat", "cp", "mv", "rm", "ln", "mkdir", "rmdir", "touch", "stat", "readlink", "dd"),
    *("chmod", "chown", "mkfifo", "mknod", "sed", "grep", "find", "tar", "gzip", "wc", "head"),
    *("tail", "sort", "uname", "mount", "umount", "su", "ps", "kill", "setsid", "unshare", "df"),
)
FOLDERS = ("tmp", "root", "proc", "sys", "dev", "run", "var/tmp", "workspace", "home")
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
LEFT_OUT = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip"}
LEFT_OUT |= {"site-packages", "dist-packages"}
LIBRARY = re.compile(r"(/\S+) \(0x")
ONCE_APART = ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1")
STICKY = 0o1777


def write_root_filesystem(target: IO[bytes]) -> None:
    """Write it as a tar archive, fit for `docker import`."""
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for name in FOLDERS:
            _add_folder(archive, name, STICKY if name.endswith("tmp") else 0o755)
        for name, text in ACCOUNTS.items():
            _add_text(archive, name, text)
        for link in ("bin", "sbin", "lib", "lib64"):
            _add_link(archive, link, f"usr/{link}")
        programs = [Path(found) for tool in TOOLS if (found := shutil.which(tool))]
        for program in programs:
            archive.add(program.resolve(), f"usr/bin/{program.name}", filter=_plain)
        for library in _libraries([*programs, *_add_python(archive)]):
            # The loader where programs expect it, the others in a folder where it always looks.
            own_place = "usr" + str(library).removeprefix("/usr")
            place = own_place if library.name.startswith("ld-") else f"usr/lib/{library.name}"
            archive.add(library.resolve(), place, filter=_plain)


def _add_python(archive: tarfile.TarFile) -> list[Path]:
    """Move the interpreter to `/usr`; its own binary files, whose libraries it needs too."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    archive.add(program, f"usr/bin/{version}", filter=_plain)
    for name in ("python3", "python"):
        _add_link(archive, f"usr/bin/{name}", version)
    place = PurePosixPath("usr", standard.relative_to(sys.base_prefix))
    archive.add(standard, str(place), filter=_without_unneeded)
    packages = site.getsitepackages(["/usr"])[0].lstrip("/")
    for file, path in distribution_files(DISTRIBUTIONS):
        archive.add(path, f"{packages}/{file}", filter=_plain)
    return [program, *standard.glob("lib-dynload/*.so")]


def distribution_files(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """The files of installed distributions and of what they require, by relative path."""
    pending, seen = list(names), set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and path.is_file():
                yield file.as_posix(), path
        for requirement in distribution.requires or ():
            found = re.match(r"[\w.-]+", requirement)
            if found and _is_installed(found.group()) and "extra ==" not in requirement:
                pending.append(found.group())


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """What the dynamic loader would load for the binaries, the loader included.

    With the C library come the parts it once had: packages built for old systems ask for them.
    """
    command = ["ldd", *(str(path) for path in binaries)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {Path(path) for path in LIBRARY.findall(done.stdout)}
    return found | {
        p for lib in found for name in ONCE_APART if (p := lib.with_name(name)).exists()
    }


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owned by root; `su` and `mount` keep their set-user-id bits, for sandboxes to disarm."""
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


def _without_unneeded(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = PurePosixPath(info.name).name
    unneeded = name in LEFT_OUT or name.startswith("config-") or name == "EXTERNALLY-MANAGED"
    return None if unneeded else _plain(info)


def _add_folder(archive: tarfile.TarFile, name: str, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    archive.addfile(info)


def _add_link(archive: tarfile.TarFile, name: str, target: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    archive.addfile(info)


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(text)
    archive.addfile(info, io.BytesIO(text.encode()))


if __name__ == "__main__":
    write_root_filesystem(os.fdopen(sys.stdout.fileno(), "wb"))
