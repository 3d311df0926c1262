"""What a Python interpreter needs to see of the file system in order to start in a sandbox."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apr.core.errors import EnvironmentUnusableError
from validation.sandbox.paths import with_targets, without_nested

PROBE_TIMEOUT_S = 60.0
# Editable installs either extend sys.path or register a finder that maps names to paths.
PROBE = """
import json, sys
mapped = [path for name, module in list(sys.modules.items()) if name.startswith("__editable__")
          for path in getattr(module, "MAPPING", {}).values()]
prefixes = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
print(json.dumps({"executable": sys.executable, "paths": prefixes + sys.path + mapped}))
"""


@dataclass(frozen=True, slots=True)
class _Probe:
    executable: str
    paths: tuple[str, ...]


def interpreter_executable(python: str) -> str:
    """The program that `python` really starts (a pyenv shim, for one, starts another).

    Raises:
        EnvironmentUnusableError: when it is not found or does not run.
    """
    return _probe(python).executable


def python_readable_paths(python: str) -> tuple[str, ...]:
    """Existing absolute paths that must be readable for `python` to start and import.

    They are its prefixes, its `sys.path` with editable installs, and the chain of symbolic links
    from `python` to the program. The root and the home folder themselves are never among them,
    even if a `.pth` file names them.

    Raises:
        EnvironmentUnusableError: when it is not found or does not run.
    """
    probe = _probe(python)
    start = shutil.which(python) or python
    return tuple(without_nested(_acceptable(with_targets((*probe.paths, start, probe.executable)))))


@functools.cache
def _probe(python: str) -> _Probe:
    try:
        result = subprocess.run(
            [python, "-I", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentUnusableError(f"cannot run the interpreter {python}: {error}") from error
    if result.returncode != 0:
        said = result.stderr.strip()[-300:]
        raise EnvironmentUnusableError(f"the interpreter {python} does not start: {said}")
    found = json.loads(result.stdout)
    return _Probe(found["executable"], tuple(found["paths"]))


def _acceptable(paths: Iterable[str]) -> Iterator[str]:
    home = PurePosixPath(Path.home())
    for path in paths:
        pure = PurePosixPath(path)
        if pure.is_absolute() and Path(path).exists() and not home.is_relative_to(pure):
            yield path
