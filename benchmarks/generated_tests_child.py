"""Has a tool generate tests of `left` and runs them on both versions; runs inside a sandbox.

The folder holds the versions `left` and `right`. One JSON object comes in as the argument, one
goes out on the last line of standard output: whether the tool applies, and whether a test of it
tells the versions apart.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

GENEROUS_S = 20.0
"""Beyond the time that the tool is given: starting interpreters, and pynguin's assertions."""
ANYTHING = "st.integers() | st.text() | st.floats() | st.booleans() | st.lists(st.integers())"
"""Where ghostwriter knows nothing of a parameter, it leaves this for its user to say."""
PROFILE = """\
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "long",
    max_examples=10**6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("long")
"""
PROXY = """\
import functools
import os
from {module} import {name} as _original
from generated_tests_child import Elsewhere

_elsewhere = Elsewhere(os.environ["OTHER_SIDE"], {module!r}, {name!r})


@functools.wraps(_original)
def {name}(*arguments, **keywords):
    return _elsewhere(arguments, keywords)


{name}.__module__ = __name__
{name}.__qualname__ = {name!r}
"""


class Elsewhere:
    """A function of another version, called in a process of its own."""

    def __init__(self, root: str, module: str, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", root, module, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __call__(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _send(self._process.stdin, (arguments, keywords))
        is_value, found = _receive(self._process.stdout)
        if is_value:
            return found
        raise found


def _send(stream: BinaryIO, value: object) -> None:
    data = pickle.dumps(value)
    stream.write(struct.pack("<I", len(data)) + data)
    stream.flush()


def _receive(stream: BinaryIO) -> Any:
    (size,) = struct.unpack("<I", stream.read(4))
    return pickle.loads(stream.read(size))


def serve(root: str, module: str, name: str) -> None:
    """Answer calls until the asker is gone."""
    sys.path[:0] = [root, f"{root}/src"]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function = getattr(import_module(module), name)
    while True:
        arguments, keywords = _receive(sys.stdin.buffer)
        try:
            answer = True, function(*arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - it is the answer
            answer = False, error
        _send(out, answer)


def ghostwriter(request: Mapping[str, Any]) -> dict[str, Any]:
    """A test that the function of `left` is equivalent to that of `right`."""
    from hypothesis.extra import ghostwriter as writer

    module, name, seconds = request["module"], request["function"], request["seconds"]
    if "." in name:
        return {"applies": False, "why": "a method"}
    Path("right_side.py").write_text(PROXY.format(module=module, name=name))
    here = str(Path.cwd())
    sys.path[:0] = [here, f"{here}/left", f"{here}/left/src"]
    os.environ["OTHER_SIDE"] = f"{here}/left"
    ours = getattr(import_module(module), name)
    theirs = getattr(import_module("right_side"), name)
    text = writer.equivalent(ours, theirs, allow_same_errors=True)
    filled = text.replace("st.nothing()", ANYTHING)
    Path("test_equivalent.py").write_text(filled)
    Path("conftest.py").write_text(PROFILE)
    paths = [here, f"{here}/left", f"{here}/left/src"]
    started = time.monotonic()
    fails = _fails("test_equivalent.py", paths, seconds, f"{here}/right")
    took = time.monotonic() - started
    # What differs from itself in another process says nothing of the versions.
    is_real = fails and not _fails("test_equivalent.py", paths, 2 * seconds, f"{here}/left")
    why = "its inputs were filled in" if filled != text else ""
    return {"applies": True, "found": is_real, "seconds": took, "why": why}


def pynguin(request: Mapping[str, Any]) -> dict[str, Any]:
    """Regression tests of the module of `left`."""
    here = Path.cwd()
    root = here / "left" / "src" if (here / "left" / "src").is_dir() else here / "left"
    command = [sys.executable, "-m", "pynguin", "--no-rich", "--project-path", str(root)]
    command += ["--module-name", request["module"], "--output-path", str(here / "made")]
    command += ["--maximum-search-time", str(int(request["seconds"])), "--seed", "0"]
    command += ["--maximum-mutation-time", str(int(request["seconds"]))]
    started = time.monotonic()
    _run(command, {"PYNGUIN_DANGER_AWARE": "1"}, 2 * request["seconds"] + GENEROUS_S)
    took = time.monotonic() - started
    tests = sorted((here / "made").glob("test_*.py"))
    if not tests:
        return {"applies": False, "why": "it wrote no test", "seconds": took}
    sides = [[str(here / side), str(here / side / "src")] for side in ("left", "right")]
    names = " ".join(str(test) for test in tests)
    left, again, right = (_failing(names, paths) for paths in (sides[0], sides[0], sides[1]))
    if left is None:
        return {"applies": False, "why": "its tests do not run", "seconds": took}
    told = (right is None) or bool(right - left - (again or set()))
    return {"applies": True, "found": told, "seconds": took}


def _fails(test: str, paths: list[str], seconds: float, other: str) -> bool:
    """Whether the test fails in time; one that goes on until the end has found nothing."""
    status, _ = _pytest([test], paths, seconds, {"OTHER_SIDE": other})
    return status == 1


def _failing(names: str, paths: list[str]) -> set[str] | None:
    """The tests that fail; None when they do not run."""
    status, said = _pytest(names.split(), paths, GENEROUS_S, {})
    lines = (line.split() for line in said.splitlines())
    failed = {words[1] for words in lines if words[:1] in (["FAILED"], ["ERROR"])}
    return failed if status in (0, 1) else None


def _pytest(
    names: list[str], paths: list[str], seconds: float, more: Mapping[str, str]
) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE"]
    return _run([*command, *names], {"PYTHONPATH": os.pathsep.join(paths), **more}, seconds)


def _run(command: list[str], more: Mapping[str, str], seconds: float) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, ""
    return done.returncode, done.stdout


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(*sys.argv[2:])
    asked = json.loads(sys.argv[1])
    try:
        answer = {"ghostwriter": ghostwriter, "pynguin": pynguin}[asked["tool"]](asked)
    except Exception as error:  # noqa: BLE001 - a tool that fails does not apply
        answer = {"applies": False, "why": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(answer), flush=True)
