"""What every sandbox must do, and what each one promises: real processes, real limits."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import validation.sandbox
from apr.core.errors import EnvironmentUnusableError, SandboxDiedError
from apr.core.ports import Sandbox, SandboxProcess
from support.docker_engine import IMAGE_VARIABLE
from validation.sandbox import PROMISES, Promise
from validation.sandbox.bubblewrap import BubblewrapSandbox
from validation.sandbox.cgroup import group_prefix
from validation.sandbox.container import LABEL, is_podman
from validation.sandbox.docker import DockerSandbox, connect
from validation.sandbox.interpreter import python_readable_paths
from validation.sandbox.owner import this_process
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.process import ProcessSandbox
from validation.sandbox.select import available
from validation.sandbox.supervisor import kill_descendants
from validation.temporary import reap

ANSWER_S = 30.0
PODMANS = ("container", "TERM")  # variables that Podman adds, whatever it is told
ECHO = """
import sys
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""


@dataclass(frozen=True)
class Backend:
    """One sandbox, a Python it can run, and a workspace to run it in."""

    name: str
    workspace: Path

    @property
    def interpreter(self) -> str:
        return "/usr/bin/python3" if self.name == "docker" else sys.executable

    def sandbox(self, policy: SandboxPolicy) -> Sandbox:
        if self.name == "docker":
            return DockerSandbox(os.environ[IMAGE_VARIABLE], policy)
        if self.name == "bubblewrap":
            paths = (*policy.readable_paths, *python_readable_paths(sys.executable))
            return BubblewrapSandbox(replace(policy, readable_paths=paths))
        return ProcessSandbox(policy)

    @contextlib.contextmanager
    def python(
        self,
        code: str,
        policy: SandboxPolicy = SandboxPolicy(),  # noqa: B008 - frozen
        *arguments: str,
        writable: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[SandboxProcess]:
        with (
            contextlib.closing(self.sandbox(policy)) as sandbox,
            sandbox.start(
                [self.interpreter, "-u", "-c", code, *arguments],
                str(self.workspace),
                writable=writable,
                environment=environment or {},
            ) as process,
        ):
            yield process


@functools.cache
def reason_against(name: str, image: str | None) -> str | None:
    return available(SandboxPolicy(), image)[name]


@pytest.fixture(params=PROMISES)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    image = request.getfixturevalue("docker_image") if request.param == "docker" else None
    reason = reason_against(request.param, image)
    if reason is not None:
        pytest.skip(f"{request.param}: {reason}")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "data.txt").write_text("subject")
    return Backend(request.param, workspace)


def promising(promise: Promise) -> pytest.MarkDecorator:
    names = [name for name, promises in PROMISES.items() if promise in promises]
    return pytest.mark.parametrize("backend", names, indirect=True)


def processes_marked(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def assert_all_gone(marker: str) -> None:
    deadline = time.monotonic() + 3
    while processes_marked(marker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes_marked(marker) == []


def test_table_in_the_documentation_is_the_table_in_the_code() -> None:
    rows = re.findall(
        r"^([a-z-]+) +(yes|no) +(yes|no) +(yes|no)$", validation.sandbox.__doc__ or "", re.M
    )
    documented = {
        name: {row[0] for row in rows if row[column] == "yes"}
        for column, name in enumerate(PROMISES, start=1)
    }
    assert documented == {name: set(promises) for name, promises in PROMISES.items()}
    assert {row[0] for row in rows} == set(Promise)


# The port's own semantics, for every backend.


def test_lines_travel_to_the_process_and_back(backend: Backend) -> None:
    with backend.python(ECHO) as process:
        for line in (b"one", b"", b"\xff\x00 bytes", b"x" * 300_000):
            process.send(line + b"\n")
            assert process.receive_line(ANSWER_S) == line


def test_several_lines_written_at_once_are_received_one_by_one(backend: Backend) -> None:
    with backend.python("print('a\\nb\\n\\nc')") as process:
        assert [process.receive_line(ANSWER_S) for _ in range(4)] == [b"a", b"b", b"", b"c"]


def test_round_trip_takes_well_under_a_millisecond(backend: Backend) -> None:
    with backend.python(ECHO) as process:
        times = []
        for _ in range(200):
            begin = time.perf_counter()
            process.send(b"ping\n")
            process.receive_line(ANSWER_S)
            times.append(time.perf_counter() - begin)
    assert sorted(times)[len(times) // 2] < (2e-3 if backend.name == "docker" else 1e-3)


def test_end_of_the_process_is_told_with_its_status_and_last_words(backend: Backend) -> None:
    code = "import sys; print('last'); sys.stderr.write('boom'); sys.exit(7)"
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"last"
        with pytest.raises(SandboxDiedError, match=r"status 7.*boom"):
            process.receive_line(ANSWER_S)
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)


def test_unfinished_line_of_an_ended_process_is_no_line(backend: Backend) -> None:
    with (
        backend.python("print('half a li', end='')") as process,
        pytest.raises(SandboxDiedError),
    ):
        process.receive_line(ANSWER_S)


def test_missing_program_is_a_process_that_died(backend: Backend) -> None:
    with (
        contextlib.closing(backend.sandbox(SandboxPolicy())) as sandbox,
        sandbox.start(
            ["/bin/sh", "-c", "exec /no/such/program"],
            str(backend.workspace),
            writable=False,
            environment={},
        ) as process,
        pytest.raises(SandboxDiedError, match="no/such/program"),
    ):
        process.receive_line(ANSWER_S)


def test_end_is_noticed_while_a_daemon_holds_standard_output_open(backend: Backend) -> None:
    code = "import os, time\nif os.fork() == 0: os.setsid(); time.sleep(60)\nprint('up')"
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"up"
        begin = time.monotonic()
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)
        assert time.monotonic() - begin < ANSWER_S / 2


def test_sending_to_an_ended_process_is_an_error_of_the_sandbox(backend: Backend) -> None:
    with backend.python("pass") as process:
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)
        with pytest.raises(SandboxDiedError):
            process.send(b"x" * 10_000_000)


def test_silence_is_a_timeout_that_loses_no_byte(backend: Backend) -> None:
    code = "import sys; print('a', end=''); sys.stdin.readline(); print('b')"
    with backend.python(code) as process:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            process.receive_line(1.0)
        assert 0.9 < time.monotonic() - begin < 3
        process.send(b"\n")
        assert process.receive_line(ANSWER_S) == b"ab"


def test_line_at_the_limit_is_received(backend: Backend) -> None:
    with backend.python("print('x' * 1000)", SandboxPolicy(line_limit_bytes=1000)) as process:
        assert process.receive_line(ANSWER_S) == b"x" * 1000


def test_line_over_the_limit_ends_the_sandbox(backend: Backend) -> None:
    code = "import time; print('x' * 1001); time.sleep(600)"
    with backend.python(code, SandboxPolicy(line_limit_bytes=1000)) as process:
        with pytest.raises(SandboxDiedError, match="limit"):
            process.receive_line(ANSWER_S)
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)


def test_flood_of_standard_error_blocks_nobody_and_keeps_its_tail(backend: Backend) -> None:
    code = "import sys; sys.stderr.write('x' * 8_000_000 + 'the end'); print('done'); input()"
    with backend.python(code, SandboxPolicy(stderr_tail_bytes=4096)) as process:
        assert process.receive_line(ANSWER_S) == b"done"
        deadline = time.monotonic() + ANSWER_S
        while not process.stderr_tail().endswith("the end") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.stderr_tail() == "x" * (4096 - len("the end")) + "the end"


def test_process_outlives_the_thread_that_started_it(backend: Backend) -> None:
    with contextlib.ExitStack() as stack:
        started: list[SandboxProcess] = []
        starter = threading.Thread(
            target=lambda: started.append(stack.enter_context(backend.python(ECHO)))
        )
        starter.start()
        starter.join()
        time.sleep(0.1)
        started[0].send(b"still here\n")
        assert started[0].receive_line(ANSWER_S) == b"still here"


def test_killing_twice_is_harmless_and_ends_the_stream(backend: Backend) -> None:
    with backend.python(ECHO) as process:
        process.kill()
        process.kill()
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)


def test_process_starts_in_the_workspace(backend: Backend) -> None:
    with backend.python("print(open('data.txt').read())") as process:
        assert process.receive_line(ANSWER_S) == b"subject"


# Scratch copies.


def test_what_a_writable_start_does_stays_in_its_scratch_copy(backend: Backend) -> None:
    code = """
open('new.txt', 'w').write('made')
open('data.txt', 'a').write('!')
print(open('data.txt').read() + open('new.txt').read())
"""
    with backend.python(code, writable=True) as process:
        assert process.receive_line(ANSWER_S) == b"subject!made"
    assert sorted(path.name for path in backend.workspace.iterdir()) == ["data.txt"]
    assert (backend.workspace / "data.txt").read_text() == "subject"
    with backend.python("import os; print(os.listdir('.'))", writable=True) as process:
        assert process.receive_line(ANSWER_S) == b"['data.txt']"


def test_scratch_copy_is_faithful(backend: Backend) -> None:
    """Bytecode caches rely on times, programs on mode bits, and a link must not be followed."""
    folder = backend.workspace / "a b" / "deep"
    folder.mkdir(parents=True)
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    (folder / ".hidden").write_text("")
    os.utime(folder / "tool", ns=(1, 1_234_567_890_123_456_789))
    (backend.workspace / "dangling").symlink_to("/no/such/place")
    (backend.workspace / "inside").symlink_to("a b/deep")
    code = """
import json, os
found = {}
for folder, folders, files in os.walk("."):
    for name in folders + files:
        path = os.path.join(folder, name)
        info = os.lstat(path)
        link = os.readlink(path) if os.path.islink(path) else None
        found[path] = [info.st_mode, info.st_size, info.st_mtime_ns, link]
print(json.dumps({path: value for path, value in found.items() if not os.path.isdir(path)}))
"""
    answers = []
    for writable in (False, True):
        with backend.python(code, writable=writable) as process:
            answers.append(json.loads(process.receive_line(ANSWER_S)))
    assert answers[0] == answers[1]
    assert len(answers[0]) == 4


def test_live_workspace_is_readable_beside_the_scratch_copy(backend: Backend) -> None:
    code = """
import os, sys
for _ in range(2):
    sys.stdin.readline()
    print(open("data.txt").read() + " " + open(os.environ["APR_SOURCE"] + "/data.txt").read())
"""
    with backend.python(code, writable=True) as process:
        process.send(b"\n")
        assert process.receive_line(ANSWER_S) == b"subject subject"
        (backend.workspace / "data.txt").write_text("changed")
        process.send(b"\n")
        assert process.receive_line(ANSWER_S) == b"subject changed"


@promising(Promise.READ_ONLY_WORKSPACE)
def test_live_workspace_cannot_be_written_beside_the_scratch_copy(backend: Backend) -> None:
    code = """
import os
try:
    open(os.environ["APR_SOURCE"] + "/data.txt", "w")
    print("written")
except OSError:
    print("refused")
"""
    with backend.python(code, writable=True) as process:
        assert process.receive_line(ANSWER_S) == b"refused"


@promising(Promise.BOUNDS_WORKSPACE)
def test_scratch_copy_is_of_limited_size(backend: Backend) -> None:
    code = """
import errno
try:
    with open("big", "wb") as file:
        for _ in range(12):
            file.write(bytes(1 << 20))
            file.flush()
    print("written")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    with backend.python(code, SandboxPolicy(workspace_mib=8), writable=True) as process:
        assert process.receive_line(ANSWER_S) == b"ENOSPC"


@promising(Promise.BOUNDS_WORKSPACE)
def test_subject_that_does_not_fit_is_said_to_be_too_large(backend: Backend) -> None:
    (backend.workspace / "big").write_bytes(os.urandom(3 << 20))
    with (
        pytest.raises(EnvironmentUnusableError, match=r"scratch copy of the subject \(2 MiB"),
        backend.python("print('up')", SandboxPolicy(workspace_mib=2), writable=True),
    ):
        pass


# What comes out.

REPORTS = """
import os, pathlib
os.makedirs("build/reports")
pathlib.Path("build/reports/new.xml").write_text("<new/>")
pathlib.Path("build/reports/odd name\\n.xml").write_bytes(b"\\0\\n\\xff" * 5)
pathlib.Path("build/reports/secret.xml").symlink_to("/etc/passwd")
os.mkfifo("build/reports/pipe.xml")
pathlib.Path("build/other.txt").write_text("")
os.chmod("build/reports/new.xml", 0o600)
print("up")
"""


def test_reports_are_collected_when_everything_is_dead(backend: Backend) -> None:
    (backend.workspace / "old").mkdir()
    (backend.workspace / "old" / "stale.xml").write_text("<old/>")
    marker = uuid.uuid4().hex
    code = f"{REPORTS}\n{DAEMON}"
    with backend.python(code, SandboxPolicy(), marker, writable=True) as process:
        assert process.receive_line(ANSWER_S) == b"up"
        assert process.receive_line(ANSWER_S) == b"up"
        found = process.collect(["**/*.xml"], 1 << 20)
        assert_all_gone(marker)
    assert found == {
        "build/reports/new.xml": b"<new/>",
        "build/reports/odd name\n.xml": b"\0\n\xff" * 5,
    }


def test_report_of_the_subject_counts_only_when_it_is_written_anew(backend: Backend) -> None:
    (backend.workspace / "report.xml").write_text("<old/>")
    os.utime(backend.workspace / "report.xml", (1, 1))
    for code, expected in (("pass", {}), ("open('report.xml', 'w').write('<old/>')", b"<old/>")):
        with backend.python(code, writable=True) as process:
            assert process.wait(ANSWER_S) == 0
            found = process.collect(["report.xml"], 1 << 20)
        assert found == ({"report.xml": expected} if expected else {})


def test_reports_over_the_limit_are_left_out(backend: Backend) -> None:
    code = "open('a.xml', 'w').write('x' * 500); open('b.xml', 'w').write('x' * 600)"
    with backend.python(code, writable=True) as process:
        assert process.wait(ANSWER_S) == 0
        assert list(process.collect(["*.xml"], 1000)) == ["a.xml"]


@pytest.mark.parametrize("status", [0, 7])
def test_exit_status_is_waited_for_whatever_is_printed(backend: Backend, status: int) -> None:
    code = f"import sys; print('exit 0\\n' * 100_000); sys.exit({status})"
    with backend.python(code) as process:
        assert process.wait(ANSWER_S) == status


def test_waiting_has_an_end(backend: Backend) -> None:
    with backend.python("import time; time.sleep(600)") as process, pytest.raises(TimeoutError):
        process.wait(0.5)


# Promises.

DAEMON = """
import os, sys
code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); " \\
       "time.sleep(600)"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", code, sys.argv[1]])
    os._exit(0)
os.wait()
sys.stdin.readline()
"""


@promising(Promise.KILLS_DESCENDANTS)
def test_kill_leaves_no_daemon(backend: Backend) -> None:
    marker = uuid.uuid4().hex
    with backend.python(DAEMON, SandboxPolicy(), marker) as process:
        assert process.receive_line(ANSWER_S) == b"up"
        assert len(processes_marked(marker)) >= 2
        process.kill()
        assert_all_gone(marker)


@promising(Promise.KILLS_DESCENDANTS)
def test_interrupt_of_the_caller_leaves_no_daemon(backend: Backend) -> None:
    marker = uuid.uuid4().hex
    with (
        pytest.raises(KeyboardInterrupt),
        backend.python(DAEMON, SandboxPolicy(), marker) as process,
    ):
        assert process.receive_line(ANSWER_S) == b"up"
        raise KeyboardInterrupt
    assert_all_gone(marker)


CALLER = """
import contextlib, json, sys
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import open_sandbox
name, image, readable, wall_seconds, argv, workspace = json.loads(sys.argv[1])
policy = SandboxPolicy(readable_paths=tuple(readable), wall_seconds=wall_seconds)
with (
    contextlib.closing(open_sandbox(name, policy, image)) as sandbox,
    sandbox.start(argv, workspace, writable=True, environment={}) as process,
):
    print(process.receive_line(30).decode(), flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def caller(
    backend: Backend, marker: str, temporary: Path, wall_seconds: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has a daemon running in a sandbox."""
    temporary.mkdir()
    readable = python_readable_paths(sys.executable) if backend.name == "bubblewrap" else ()
    argv = [backend.interpreter, "-u", "-c", DAEMON, marker]
    image = os.environ.get(IMAGE_VARIABLE)
    told = [backend.name, image, readable, wall_seconds, argv, str(backend.workspace)]
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, json.dumps(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


@promising(Promise.KILLS_DESCENDANTS)
def test_sudden_death_of_the_caller_leaves_neither_daemon_nor_folder(
    backend: Backend, tmp_path: Path
) -> None:
    """What a folder needs to go is that somebody starts afterwards."""
    marker, temporary = uuid.uuid4().hex, tmp_path / "temporary"
    with caller(backend, marker, temporary) as process:
        process.kill()
    assert_all_gone(marker)
    reap(temporary)
    assert list(temporary.iterdir()) == []


STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
signal.alarm(0)
print("up")
while True:
    time.sleep(60)
"""


@promising(Promise.BOUNDS_WALL_CLOCK)
def test_sandbox_ends_when_its_time_is_up(backend: Backend) -> None:
    marker = uuid.uuid4().hex
    with backend.python(STUBBORN, SandboxPolicy(wall_seconds=2), marker) as process:
        assert process.receive_line(ANSWER_S) == b"up"
        begin = time.monotonic()
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)
        assert time.monotonic() - begin < ANSWER_S / 2
        assert_all_gone(marker)


@promising(Promise.BOUNDS_WALL_CLOCK)
def test_time_runs_on_while_the_caller_is_suspended(backend: Backend, tmp_path: Path) -> None:
    marker = uuid.uuid4().hex
    with caller(backend, marker, tmp_path / "temporary", wall_seconds=3) as process:
        process.send_signal(signal.SIGSTOP)
        assert len(processes_marked(marker)) >= 2  # the caller itself is one
        deadline = time.monotonic() + ANSWER_S
        while len(processes_marked(marker)) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_marked(marker) == [str(process.pid)]


@promising(Promise.BOUNDS_OUTPUT)
def test_flood_of_standard_output_ends_with_the_sandbox_at_once(backend: Backend) -> None:
    """The engine kills nothing before what it has written is read; nobody reads a flood."""
    code = "import os\nwhile True: os.write(1, b'x' * 65536)"
    with backend.python(code, SandboxPolicy(line_limit_bytes=1 << 20)) as process:
        with pytest.raises(TimeoutError):
            process.receive_line(0.0)
        begin = time.monotonic()
        process.kill()
        with contextlib.suppress(SandboxDiedError):
            assert process.wait(ANSWER_S) != 0
        assert time.monotonic() - begin < 9  # the engine would wait for 10 s


@promising(Promise.BOUNDS_OUTPUT)
def test_endless_standard_error_ends_the_sandbox(backend: Backend) -> None:
    code = "import os\nwhile True: os.write(2, b'x' * 65536)"
    with backend.python(code, SandboxPolicy(output_mib=2)) as process:
        with pytest.raises(SandboxDiedError, match="standard error"):
            process.receive_line(ANSWER_S)
        with pytest.raises(SandboxDiedError, match="standard error"):
            process.wait(ANSWER_S)


@promising(Promise.BOUNDS_CPU)
def test_busy_processes_share_the_processor_time_they_are_granted(backend: Backend) -> None:
    code = """
import os, time
begin = time.monotonic()
children = [os.fork() for _ in range(2)]
while time.monotonic() - begin < 2:
    pass
if 0 in children:
    os._exit(0)
for child in children:
    os.waitpid(child, 0)
print(sum(os.times()[:4]) / (time.monotonic() - begin))
"""
    with backend.python(code, SandboxPolicy(cpus=0.3)) as process:
        assert float(process.receive_line(ANSWER_S)) < 0.5


@promising(Promise.NO_NEW_PRIVILEGES)
def test_no_program_can_give_privileges(backend: Backend) -> None:
    code = "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs')])"
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"['1']"


@promising(Promise.DROPS_CAPABILITIES)
def test_what_needs_a_privilege_is_refused(backend: Backend) -> None:
    code = """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
def mount(): return libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)
def remount(): return libc.mount(None, b"/", None, 32 | 4096, None)
def unshare(): return libc.unshare(CLONE_NEWNS)
def user_namespace(): return libc.unshare(CLONE_NEWUSER | CLONE_NEWNS)
def chroot(): return os.chroot("/tmp")
def root(): return os.setuid(0)
def device(): return os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0))
def limits(): return resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
def hostname(): return libc.sethostname(b"mine", 4)
def clock(): return __import__("time").clock_settime(0, 0)
done = []
for act in (mount, remount, unshare, user_namespace, chroot, root, device, limits, hostname, clock):
    try:
        if act() != -1:
            done.append(act.__name__)
    except (OSError, ValueError):
        pass
print(done)
"""
    if backend.name == "docker":
        skip_laxer_profile()
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"[]"


@promising(Promise.SECCOMP)
def test_system_calls_that_no_test_needs_are_refused(backend: Backend) -> None:
    """A call that the kernel itself would answer otherwise (ENOSYS, ENOKEY) meets the filter."""
    code = """
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
numbers = {"x86_64": (250, 298, 321), "aarch64": (219, 241, 280)}[platform.machine()]
answers = []
for number in numbers:  # keyctl, perf_event_open, bpf
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0)
    answers.append(errno.errorcode.get(ctypes.get_errno()))
modes = [line.split()[1] for line in open("/proc/self/status") if line.startswith("Seccomp:")]
print(modes, answers)
"""
    skip_laxer_profile()
    with backend.python(code) as process:
        answer = process.receive_line(ANSWER_S)
    assert answer == b"['2'] ['EPERM', 'EPERM', 'EPERM']"


@promising(Promise.HIDES_PROCESSES)
def test_processes_of_the_host_can_be_neither_seen_nor_signalled(backend: Backend) -> None:
    marker = uuid.uuid4().hex
    code = """
import os, pathlib, sys
marker, pid = sys.stdin.readline().split()
commands = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")]
try:
    os.kill(int(pid), 0)
    commands.append(marker.encode())
except OSError:
    pass
print(len(commands) > 0, [command for command in commands if marker.encode() in command])
"""
    sleeper = subprocess.Popen(["/bin/sh", "-c", "sleep 60; true", marker])
    try:
        with backend.python(code) as process:
            process.send(f"{marker} {sleeper.pid}\n".encode())
            assert process.receive_line(ANSWER_S) == b"True []"
        assert sleeper.poll() is None
    finally:
        kill_descendants(sleeper.pid)
        sleeper.kill()
        sleeper.wait()


@promising(Promise.KILLS_DESCENDANTS)
def test_daemon_ends_with_its_process(backend: Backend) -> None:
    marker = uuid.uuid4().hex
    with backend.python(DAEMON, SandboxPolicy(), marker) as process:
        assert process.receive_line(ANSWER_S) == b"up"
        process.send(b"end\n")
        with pytest.raises(SandboxDiedError, match="status 0"):
            process.receive_line(ANSWER_S)
        assert_all_gone(marker)


@promising(Promise.READ_ONLY_WORKSPACE)
def test_workspace_cannot_be_written_unless_asked_for(backend: Backend) -> None:
    code = """
import os
for act in (lambda: open('data.txt', 'w'), lambda: open('new', 'w'), lambda: os.unlink('data.txt')):
    try:
        act()
        print('done')
    except OSError as error:
        print(error.errno)
"""
    with backend.python(code) as process:
        answers = [process.receive_line(ANSWER_S) for _ in range(3)]
    assert b"done" not in answers
    assert (backend.workspace / "data.txt").read_text() == "subject"


@promising(Promise.NO_NETWORK)
def test_listener_on_this_machine_is_unreachable(backend: Backend) -> None:
    code = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
    print("connected")
except OSError:
    print("unreachable")
"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        with backend.python(code, SandboxPolicy(), str(port)) as process:
            assert process.receive_line(ANSWER_S) == b"unreachable"


@promising(Promise.HIDES_HOME)
def test_secret_in_the_home_folder_cannot_be_read(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "home" / ".ssh" / "id_ed25519"
    secret.parent.mkdir(parents=True)
    secret.write_text("secret")
    secret.chmod(0o644)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    code = """
import os, sys
for path in (sys.argv[1], os.path.expanduser("~/.ssh/id_ed25519"), "/proc/1/root" + sys.argv[1]):
    try:
        print(open(path).read())
    except OSError:
        print("invisible")
"""
    with backend.python(code, SandboxPolicy(), str(secret)) as process:
        assert [process.receive_line(ANSWER_S) for _ in range(3)] == [b"invisible"] * 3


@promising(Promise.BOUNDS_MEMORY)
def skip_laxer_profile() -> None:
    with contextlib.closing(connect()) as client:
        if is_podman(client):
            pytest.skip("Podman's own seccomp profile lets this through: see the conditions")


@pytest.mark.parametrize("limit_address_space", [True, False])
def test_memory_hog_meets_its_limit(backend: Backend, limit_address_space: bool) -> None:
    code = """
blocks = []
try:
    while len(blocks) < 1024:
        blocks.append(bytearray(b"x") * (1 << 20))
    print("a GiB")
except MemoryError:
    blocks.clear()
    print("refused")
"""
    policy = SandboxPolicy(memory_mib=192, limit_address_space=limit_address_space)
    with backend.python(code, policy) as process:
        try:
            answer = process.receive_line(ANSWER_S)
        except SandboxDiedError:
            answer = b"killed"
    assert answer in (b"refused", b"killed")


@pytest.mark.parametrize("limit_address_space", [True, False])
def test_reserving_without_using_is_refused_only_on_request(
    backend: Backend, limit_address_space: bool
) -> None:
    if backend.name == "docker":
        pytest.skip("docker bounds memory in use, never the address space")
    code = """
import mmap
try:
    mmap.mmap(-1, 1 << 30, prot=mmap.PROT_READ)
    print("reserved")
except (OSError, MemoryError):
    print("refused")
"""
    policy = SandboxPolicy(memory_mib=192, limit_address_space=limit_address_space)
    with backend.python(code, policy) as process:
        answer = process.receive_line(ANSWER_S)
    assert answer == (b"refused" if limit_address_space else b"reserved")


@promising(Promise.BOUNDS_PROCESSES)
def test_fork_bomb_meets_its_limit(backend: Backend) -> None:
    code = """
import os, time
forks = 0
try:
    while forks < 400:
        if os.fork() == 0:
            time.sleep(600)
        forks += 1
except OSError:
    pass
print(forks)
"""
    with backend.python(code, SandboxPolicy(pids=40)) as process:
        assert 20 <= int(process.receive_line(ANSWER_S)) <= 48


@promising(Promise.BOUNDS_FILE_SIZE)
def test_file_over_the_limit_cannot_be_written(backend: Backend) -> None:
    code = """
import errno
try:
    with open("big", "wb") as file:
        for _ in range(3):
            file.write(bytes(1 << 20))
            file.flush()
    print("written")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    with backend.python(code, SandboxPolicy(file_size_mib=1), writable=True) as process:
        assert process.receive_line(ANSWER_S) == b"EFBIG"


@promising(Promise.BOUNDS_TEMPORARY)
def test_temporary_folder_is_of_limited_size(backend: Backend) -> None:
    code = """
import errno, tempfile
try:
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(12):
            file.write(bytes(1 << 20))
            file.flush()
    print("written")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    with backend.python(code, SandboxPolicy(tmp_mib=8)) as process:
        assert process.receive_line(ANSWER_S) == b"ENOSPC"


@promising(Promise.CLEAN_ENVIRONMENT)
def test_no_variable_of_the_host_is_inherited(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_CANARY_KEY", "sk-canary")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    with backend.python(code, environment={"GIVEN": "a b", "LANG": "C"}) as process:
        seen = json.loads(process.receive_line(ANSWER_S))
    allowed = "PATH LANG TZ HOME TMPDIR PYTHONDONTWRITEBYTECODE PYTHONHASHSEED GIVEN PWD"
    ours = {"APR_SANDBOX", "APR_PRIVATE"}
    assert set(seen) <= {*allowed.split(), *ours, "HOSTNAME", "LC_CTYPE", "OLDPWD", *PODMANS}
    assert (seen["GIVEN"], seen["LANG"], seen["PYTHONHASHSEED"]) == ("a b", "C", "0")
    assert seen["HOME"] != str(Path.home())
    assert "sk-canary" not in seen.values()


@promising(Promise.REMOVES_TEMPORARY)
def test_nothing_temporary_is_left(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    code = """
import os, pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "locked").mkdir()
(folder / "locked" / "file").write_text("x")
(pathlib.Path.home() / "note").write_text("x")
(folder / "locked").chmod(0)
print("ready")
input()
"""
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"ready"
    assert list(scratch.iterdir()) == []
    assert list(Path("/sys/fs/cgroup").rglob(f"{group_prefix()}*")) == []


@promising(Promise.MOUNTS_AT)
def test_workspace_appears_where_the_policy_says(backend: Backend) -> None:
    policy = SandboxPolicy(mount_at="/srv/project/subject")
    code = "import os; print(os.getcwd()); print(open('/srv/project/subject/data.txt').read())"
    with backend.python(code, policy) as process:
        assert process.receive_line(ANSWER_S) == b"/srv/project/subject"
        assert process.receive_line(ANSWER_S) == b"subject"


@promising(Promise.MOUNTS_AT)
def test_readable_path_inside_the_mount_point_lies_over_the_workspace(
    backend: Backend, tmp_path: Path
) -> None:
    original = tmp_path / "original"
    (original / ".venv").mkdir(parents=True)
    (original / ".venv" / "lib.txt").write_text("library")
    (original / "hidden.txt").write_text("original")
    tmp_path.chmod(0o755)
    policy = SandboxPolicy(mount_at=str(original), readable_paths=(str(original / ".venv"),))
    code = """
import os
print(sorted(os.listdir(".")))
print(open(".venv/lib.txt").read())
try:
    open(".venv/new", "w")
    print("written")
except OSError:
    print("read-only")
"""
    for writable in (False, True, True):
        with backend.python(code, policy, writable=writable) as process:
            assert process.receive_line(ANSWER_S) == b"['.venv', 'data.txt']"
            assert process.receive_line(ANSWER_S) == b"library"
            assert process.receive_line(ANSWER_S) == b"read-only"


@pytest.mark.parametrize("backend", ["bubblewrap"], indirect=True)  # see the promise's conditions
def test_scratch_copy_is_complete_around_what_is_mounted_in_it(
    backend: Backend, tmp_path: Path
) -> None:
    original = tmp_path / "original"
    for place in ("a/lib", "a b/deep/lib"):
        (original / place).mkdir(parents=True)
        (original / place / "mounted.txt").touch()
        (backend.workspace / place).mkdir(parents=True)
        (backend.workspace / place / "hidden.txt").touch()
        (backend.workspace / place).parent.joinpath("-beside *.txt").touch()
    (backend.workspace / "a" / ".dot").mkdir()
    (backend.workspace / "empty").mkdir()
    tmp_path.chmod(0o755)
    libraries = (str(original / "a/lib"), str(original / "a b/deep/lib"))
    policy = SandboxPolicy(mount_at=str(original), readable_paths=libraries)
    code = """
import os
print(sorted(os.path.join(f, n)[2:] for f, folders, files in os.walk(".") for n in folders + files))
"""
    with backend.python(code, policy, writable=True) as process:
        found = process.receive_line(ANSWER_S).decode()
    assert found == str(
        [
            *("a", "a b", "a b/deep", "a b/deep/-beside *.txt", "a b/deep/lib"),
            *("a b/deep/lib/mounted.txt", "a/-beside *.txt", "a/.dot", "a/lib"),
            *("a/lib/mounted.txt", "data.txt", "empty"),
        ]
    )


@promising(Promise.READ_ONLY_ROOT)
def test_nothing_but_the_workspace_and_temporary_folders_is_writable(backend: Backend) -> None:
    code = """
import os
def writable(folder):
    try:
        path = os.path.join(folder, "probe")
        open(path, "w").close()
        os.unlink(path)
        return True
    except OSError:
        return False
folders = ("/", "/usr", "/etc", "/dev", "/proc", "/proc/sys/kernel", "/tmp")
print([folder for folder in folders if writable(folder)])
"""
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"['/tmp']"


@promising(Promise.DROPS_CAPABILITIES)
def test_code_has_neither_root_nor_capabilities(backend: Backend) -> None:
    code = """
import os
lines = open("/proc/self/status").read().splitlines()
sets = [line.split()[1] for line in lines if line.startswith("Cap")]
print(os.getuid() != 0, [int(value, 16) for value in sets])
"""
    with backend.python(code) as process:
        assert process.receive_line(ANSWER_S) == b"True [0, 0, 0, 0, 0]"


@pytest.mark.parametrize("backend", ["docker"], indirect=True)
def test_no_container_is_left(backend: Backend) -> None:
    with contextlib.closing(connect()) as client:
        mine = {"label": f"{LABEL}={this_process()}"}
        with backend.python(ECHO):
            assert len(client.containers.list(filters=mine)) == 1
        deadline = time.monotonic() + 10
        while client.containers.list(all=True, filters=mine) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.containers.list(all=True, filters=mine) == []
