"""The harness for Java: compiled once, and how a virtual machine is started with it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from apr.core.errors import EnvironmentUnusableError

SOURCES = Path(__file__).resolve().parent.parent / "harness" / "java"
LIBRARIES = ("junit4.jar", "hamcrest.jar", "asm.jar", "asm-tree.jar")
FOLDERS = (Path("/usr/share/java"), Path("/usr/local/share/java"))
"""Where Debian's packages junit4, libhamcrest-java and libasm-java put their archives."""

OPTIONS = (
    # The quick compiler alone: few candidates run for long enough to deserve the other one.
    *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"),
    *("-Xmx768m", "-Djava.awt.headless=true", "-Dfile.encoding=UTF-8"),
)
Fields = Mapping[str, Sequence[str]]


def java_argv(options: Sequence[str] = ()) -> list[str]:
    """The command that starts the harness in a virtual machine with these options.

    Raises:
        EnvironmentUnusableError: when there is no JDK, or JUnit is not installed.
    """
    path = ":".join([str(compiled_harness()), *map(str, libraries())])
    return [_program("java"), *OPTIONS, *options, "-cp", path, "apr.harness.Main"]


def render_request(fields: Fields) -> bytes:
    """A request as the harness reads it."""
    lines = ("\t".join([key, *map(_escape, values)]) for key, values in fields.items())
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")


def run_harness(request: Fields, folder: Path, options: Sequence[str] = ()) -> str:
    """Let the harness do what it does at once, in a folder; what it says on standard error.

    Raises:
        EnvironmentUnusableError: when it does not succeed.
    """
    done = subprocess.run(
        java_argv(options),
        input=render_request(request),
        capture_output=True,
        cwd=folder,
        check=False,
    )
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        raise EnvironmentUnusableError(said.strip()[-1000:] or "the Java harness has failed")
    return said


@cache
def libraries() -> tuple[Path, ...]:
    """JUnit and what the harness needs besides.

    Raises:
        EnvironmentUnusableError: when one of them is not installed.
    """
    return tuple(_library(name) for name in LIBRARIES)


@cache
def compiled_harness() -> Path:
    """The folder with the classes of the harness, made when this version of it is first used.

    Raises:
        EnvironmentUnusableError: when it cannot be compiled.
    """
    files = sorted(SOURCES.rglob("*.java"))
    sha = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    cached = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    target = Path(cached) / "apr" / f"java-harness-{sha.hexdigest()[:16]}"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    except OSError as error:
        raise EnvironmentUnusableError(f"cannot keep the Java harness: {error}") from error
    try:
        _compile(files, making)
        making.chmod(0o755)
        making.rename(target)
    except OSError:
        if not target.is_dir():  # else somebody else was quicker
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target


def _compile(files: Sequence[Path], target: Path) -> None:
    path = ":".join(map(str, libraries()))
    argv = [_program("javac"), "-proc:none", "-nowarn", "-d", str(target), "-cp", path]
    done = subprocess.run([*argv, *map(str, files)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentUnusableError(f"the Java harness cannot be compiled: {done.stderr[-500:]}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EnvironmentUnusableError(f"there is no {name}: install a JDK, such as default-jdk")
    return found


def _library(name: str) -> Path:
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise EnvironmentUnusableError(
        f"{name} is not in {FOLDERS[0]}: install Debian's junit4, libhamcrest-java, libasm-java"
    )


def _escape(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text
