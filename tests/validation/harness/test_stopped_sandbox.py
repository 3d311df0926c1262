"""A sandbox that is stopped for a while, as by `docker pause`, does not make its candidate late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from validation.runners.session import HARNESS_ROOT

SERVER = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from apr_harness.forkpoint import _read_until_end
ours, theirs = os.pipe()
child = os.fork()
if child == 0:
    os.close(ours)
    os.write(theirs, b"begun")
    time.sleep(0.8)
    os.write(theirs, b", ended")
    os._exit(0)
os.close(theirs)
print("begun", flush=True)
print(*_read_until_end(child, ours, 0.5, 1000), flush=True)
"""


def test_time_in_which_the_whole_sandbox_stands_still_does_not_count() -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(HARNESS_ROOT)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    with server:
        server.stdout.readline()
        os.killpg(server.pid, signal.SIGSTOP)
        time.sleep(2.5)  # more than four times the limit
        os.killpg(server.pid, signal.SIGCONT)
        assert server.stdout.readline() == "b'begun, ended' False\n"
