"""Notes what the patched files do that reaches beyond their own work (PEP 578 audit events).

A hook cannot be removed once it is added. It only takes notes: it neither raises nor forbids,
since what the unpatched program does in the same way is nobody's fault; the host compares.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any, Callable, Iterable

EFFECTS = {
    "os.fork": "process",
    "os.forkpty": "process",
    "os.exec": "process",
    "os.posix_spawn": "process",
    "os.spawn": "process",
    "os.system": "process",
    "pty.spawn": "process",
    "subprocess.Popen": "process",
    "os.kill": "signal",
    "os.killpg": "signal",
    "signal.pthread_kill": "signal",
    "sys.settrace": "tracing",
    "sys.setprofile": "tracing",
    "sys.monitoring.register_callback": "tracing",
    "sys.addaudithook": "audit hook",
    "resource.prlimit": "resource limits",
    "resource.setrlimit": "resource limits",
}
"""Events that count whoever of the library acts on a patched file's behalf."""

INTROSPECTION = {
    "gc.get_objects": "garbage collector",
    "gc.get_referrers": "garbage collector",
    "gc.get_referents": "garbage collector",
    "sys._getframe": "stack frames",
    "sys._current_frames": "stack frames",
    "sys._current_exceptions": "stack frames",
    "code.__new__": "code objects",
    "function.__new__": "code objects",
    "marshal.loads": "code objects",
    "compile": "dynamic code",
    "exec": "dynamic code",
}
"""Events that count when a patched file, or what looks at stacks for it, causes them itself."""

ATTRIBUTES = {
    "tb_frame": "stack frames",
    "gi_frame": "stack frames",
    "cr_frame": "stack frames",
    "__code__": "code objects",
}
LOOKOUTS = ("inspect.py", "traceback.py", "timeit.py", "code.py", "codeop.py", "runpy.py")
LOOKOUT_FUNCTIONS = ("currentframe", "findCaller", "<lambda>")
"""Files and functions of the library that look at stacks or compile for whoever calls them."""

PATH_EVENTS = {
    "os.rename": 2,
    "os.remove": 1,
    "os.truncate": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.chmod": 1,
    "os.rmdir": 1,
}
"""Events that change files, and how many of their first arguments are paths."""

MACHINERY = ("pytest", "_pytest", "pluggy", "unittest", "ctypes", "_ctypes", "apr_harness", "gc")
VARIABLES = ("PYTEST", "PYTHON", "LD_", "APR_", "UNITTEST")
CODE_ENDINGS = (".py", ".pyc", ".pth", ".so", ".cfg", ".ini", ".toml")
PUBLIC_PROC = ("cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
OUTSIDE, INSIDE, PATCHED = range(3)
TEST_WORDS = ("test", "conftest")
TESTS = "the tests"
QUOTING = ("traceback.py", "warnings.py")  # they show source lines, of whatever file


class Audit:
    """Calls `note(path, deed)` once for each kind of deed of each patched file."""

    def __init__(self, root: str, patched: Iterable[str], note: Callable[[str], None]) -> None:
        self.root = os.path.realpath(root)
        self.patched = frozenset(os.path.realpath(os.path.join(root, path)) for path in patched)
        self.private = [
            os.path.realpath(folder)
            for folder in (tempfile.gettempdir(), os.path.expanduser("~"), "/dev/shm")
        ]
        self.note = note
        self._kinds: dict[str, int] = {}
        self._known: set[tuple[str, str]] = set()
        self.paused = False  # while the harness itself looks into functions

    def install(self) -> None:
        """Listen from now on, until this process ends."""
        frame_of = sys._getframe
        audit = self

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if audit.paused or (event == "sys._getframe" and arguments[0].f_code in own):
                return
            try:
                deed = audit._judge(event, arguments)
                if deed:
                    notice(deed, event)
            except Exception:
                return

        def notice(deed: str, event: str) -> None:
            audit._attribute(deed, event, frame_of(1).f_back)

        own = (hook.__code__, notice.__code__)
        sys.addaudithook(hook)

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> str:
        """What kind of deed an event would be if a patched file did it; empty for an innocent."""
        if event == "open":
            return self._opening(*arguments)
        known = EFFECTS.get(event) or INTROSPECTION.get(event)
        if known:
            return known
        if event in PATH_EVENTS:
            return self._changing(arguments[: PATH_EVENTS[event]])
        if event in ("object.__getattr__", "object.__setattr__"):
            return ATTRIBUTES.get(arguments[1], "")
        if event == "import":
            return "test machinery" if arguments[0].partition(".")[0] in MACHINERY else ""
        if event in ("os.putenv", "os.unsetenv"):
            name = os.fsdecode(arguments[0])
            return "environment" if name.startswith(VARIABLES) else ""
        if event.startswith("socket."):
            return "network"
        return "memory" if event.startswith("ctypes.") else ""

    def _opening(self, path: Any, mode: Any, flags: Any) -> str:
        if isinstance(path, int):
            return "descriptors"
        full = os.path.abspath(os.fsdecode(path))
        if full.startswith(("/dev/fd", "/dev/std")):
            return "descriptors"
        if full.startswith("/proc/"):
            return "" if os.path.basename(full) in PUBLIC_PROC else "/proc"
        if isinstance(mode, str):
            writing = any(letter in mode for letter in "wax+")
        else:
            writing = bool(flags & WRITING)
        return self._changing([path]) if writing else self._reading(full)

    def _reading(self, full: str) -> str:
        """Tests say what they want to see; a program has no business with them."""
        if not full.startswith(self.root + os.sep) or not full.endswith(".py"):
            return ""
        return TESTS if looks_like_test(full[len(self.root) + 1 :]) else ""

    def _changing(self, paths: Iterable[Any]) -> str:
        for path in paths:
            full = os.path.realpath(os.fsdecode(path))
            if full.startswith(self.root + os.sep):
                if full.endswith(CODE_ENDINGS) or f"{os.sep}.git{os.sep}" in full:
                    return "code and configuration"
            elif not full.startswith(("/dev/", *self.private)):
                return "files outside"
        return ""

    def _attribute(self, deed: str, event: str, frame: Any) -> None:
        """Find out whose deed it is, from the frame that caused the event outwards."""
        direct = event in INTROSPECTION or event.startswith("object.")
        while frame is not None:
            name = frame.f_code.co_filename
            kind = self._kind(name)
            if kind == PATCHED:
                self._write(name, deed)
                return
            if deed == TESTS and os.path.basename(name) in QUOTING:
                return
            if kind == INSIDE or (direct and not _is_lookout(frame.f_code)):
                return
            frame = frame.f_back

    def _kind(self, name: str) -> int:
        if name not in self._kinds:
            if name.startswith("<"):  # no file: frozen, or text that was executed
                return OUTSIDE
            full = os.path.realpath(name)
            inside = INSIDE if full.startswith(self.root + os.sep) else OUTSIDE
            self._kinds[name] = PATCHED if full in self.patched else inside
        return self._kinds[name]

    def _write(self, name: str, deed: str) -> None:
        path = os.path.realpath(name)[len(self.root) + 1 :]
        if (path, deed) not in self._known:
            self._known.add((path, deed))
            self.note(f"{path}\t{deed}")


def _is_lookout(code: Any) -> bool:
    return os.path.basename(code.co_filename) in LOOKOUTS or code.co_name in LOOKOUT_FUNCTIONS


def looks_like_test(path: str) -> bool:
    """Whether a path relative to the subject is one of a test, of its helpers or settings."""
    return any(word in part for part in path.lower().split(os.sep) for word in TEST_WORDS)
