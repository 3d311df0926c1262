"""Runs one Python program after the other against its tests, each in a child of this process.

Reads a length of four bytes and JSON with `program` and `tests`; writes a line with the numbers of
the tests that passed and of all. Standard library only: it runs inside bubblewrap.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
import types

TEST_S = 0.1
"""Of processor time for one test, which takes a thousandth of that."""
CPU_S, WALL_S = 1, 10


def count_passed(program: str, tests: str) -> tuple[int, int]:
    solution = types.ModuleType("solution")
    sys.modules["solution"] = solution
    checks = {"__name__": "test_solution"}
    try:
        exec(compile(program, "solution.py", "exec"), solution.__dict__)
        exec(compile(tests, "test_solution.py", "exec"), checks)
    except Exception:  # noqa: BLE001 (whatever a candidate does)
        return 0, tests.count("\ndef test_")
    found = [check for name, check in checks.items() if name.startswith("test_")]
    passed = 0
    for check in found:
        try:
            passed += passes(check)
        except TimeoutError:  # what hangs once is not waited for again
            break
    return passed, len(found)


def passes(check) -> bool:
    signal.setitimer(signal.ITIMER_VIRTUAL, TEST_S)
    try:
        check()
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001 (the same)
        return False
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return True


def out_of_time(number, frame) -> None:
    raise TimeoutError


def judge(request: dict[str, str]) -> str:
    """What a child says; one that is stopped by its limits says nothing, and has passed nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        signal.signal(signal.SIGVTALRM, out_of_time)
        signal.alarm(WALL_S)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 (it ends at once)
        passed, total = count_passed(request["program"], request["tests"])
        os.write(writing, f"{passed} {total}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said or f"0 {request['tests'].count('def test_')}"


def main() -> None:
    while header := sys.stdin.buffer.read(4):
        (length,) = struct.unpack(">i", header)
        print(judge(json.loads(sys.stdin.buffer.read(length))), flush=True)


if __name__ == "__main__":
    main()
