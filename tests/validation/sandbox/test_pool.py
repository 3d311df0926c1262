"""The pool of containers: used again only when nothing at all is left of the last use."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from apr.core.errors import SandboxDiedError
from validation.sandbox.container import LABEL
from validation.sandbox.docker import MAX_IDLE, DockerSandbox, remove_orphans
from validation.sandbox.owner import Owner, this_process
from validation.sandbox.policy import SandboxPolicy

ANSWER_S = 60.0
PYTHON = "/usr/bin/python3"


class Pool:
    """A sandbox with a pool, and what the engine says about it."""

    def __init__(self, sandbox: DockerSandbox, workspace: Path) -> None:
        self.sandbox = sandbox
        self.workspace = workspace

    def run(self, code: str, *, writable: bool = True, workspace: Path | None = None) -> str:
        """One line that the code prints; the process is still running when its use ends."""
        with self.sandbox.start(
            [PYTHON, "-u", "-c", f"{code}\nimport time; time.sleep(600)"],
            str(workspace or self.workspace),
            writable=writable,
            environment={},
        ) as process:
            return process.receive_line(ANSWER_S).decode()


@pytest.fixture
def pool(docker_image: str, tmp_path: Path) -> Iterator[Pool]:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "data.txt").write_text("subject")
    with contextlib.closing(DockerSandbox(docker_image, SandboxPolicy(pids=40))) as sandbox:
        yield Pool(sandbox, workspace)


def ours(client: docker.DockerClient) -> list[str]:
    """The ids of this process's containers that run."""
    found = client.containers.list(filters={"label": f"{LABEL}={this_process()}"})
    return sorted(str(container.id) for container in found)


PLANT = """
import ctypes, os
for folder in ("/tmp", "/dev/shm", "."):
    os.makedirs(folder + "/deep" * 40)
    os.symlink("/etc/passwd", folder + "/link")
    open(folder + "/.hidden", "w").close()
    os.chmod(folder + "/deep", 0)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(4242, 4096, 0o1666) >= 0, os.open("/dev/mqueue", 0) >= 0)
"""
LOOK = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
users = [os.stat("/proc/" + name).st_uid for name in os.listdir("/proc") if name.isdigit()]
print([sorted(os.listdir(f)) for f in ("/tmp", "/dev/shm", ".")], users.count(os.getuid()),
      libc.shmget(4242, 4096, 0o666))
"""


def test_next_use_finds_nothing_of_the_last_one(
    pool: Pool, docker_client: docker.DockerClient
) -> None:
    assert pool.run(PLANT.replace("libc.shmget(4242, 4096, 0o1666) >= 0", "True")) == "True True"
    before = ours(docker_client)
    assert pool.run(LOOK) == "[[], [], ['data.txt']] 1 -1"
    assert ours(docker_client) == before
    assert len(before) == 1


@pytest.mark.parametrize("writable", [False, True])
def test_container_of_a_subject_below_the_temporary_folder_is_used_again(
    docker_image: str, docker_client: docker.DockerClient, tmp_path: Path, writable: bool
) -> None:
    policy = SandboxPolicy(pids=40, mount_at="/tmp/some/where")
    with contextlib.closing(DockerSandbox(docker_image, policy)) as sandbox:
        pool = Pool(sandbox, tmp_path)
        assert pool.run("open('/tmp/left', 'w'); print('up')", writable=writable) == "up"
        before = ours(docker_client)
        look = "import os; print(os.listdir('/tmp'))"
        assert pool.run(look, writable=writable) == "['some']"
        assert ours(docker_client) == before


def test_container_with_shared_memory_left_in_it_is_not_used_again(
    pool: Pool, docker_client: docker.DockerClient
) -> None:
    """System V objects belong to no process and no folder; the keeper counts them."""
    assert pool.run(PLANT) == "True True"
    assert pool.run(LOOK) == "[[], [], ['data.txt']] 1 -1"


FIGHT = """
import os, signal
print("up")
for _ in range(8):
    os.fork()
while True:
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass
"""


def test_container_in_which_somebody_fights_back_is_never_trusted(
    pool: Pool, docker_client: docker.DockerClient
) -> None:
    assert pool.run(FIGHT) == "up"
    assert pool.run(LOOK) == "[[], [], ['data.txt']] 1 -1"
    assert len(ours(docker_client)) == 1


def test_keeper_can_be_neither_ended_nor_impersonated(pool: Pool) -> None:
    code = """
import os, signal
keepers = [int(p) for p in os.listdir("/proc")
           if p.isdigit() and os.stat("/proc/" + p).st_uid != os.getuid()]
done = []
for pid in keepers:
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(pid, number)
            done.append((pid, number))
        except OSError:
            pass
    for name in ("fd/1", "fd/0", "mem", "environ", "cwd"):
        try:
            os.open("/proc/%d/%s" % (pid, name), os.O_RDWR if name[0] in "fm" else os.O_RDONLY)
            done.append((pid, name))
        except OSError:
            pass
print(len(keepers) >= 2, done)
"""
    assert pool.run(code) == "True []"


def test_live_workspace_of_a_pooled_container_is_the_current_one(pool: Pool) -> None:
    code = "print(open('data.txt').read())"
    assert pool.run(code, writable=False) == "subject"
    (pool.workspace / "data.txt").write_text("changed")
    assert pool.run(code, writable=False) == "changed"
    shutil.rmtree(pool.workspace)
    pool.workspace.mkdir()
    (pool.workspace / "data.txt").write_text("made anew")
    assert pool.run(code, writable=False) == "made anew"


def test_killed_container_is_replaced(pool: Pool, docker_client: docker.DockerClient) -> None:
    with pool.sandbox.start(
        ["/bin/sleep", "600"], str(pool.workspace), writable=False, environment={}
    ) as process:
        (before,) = ours(docker_client)
        docker_client.containers.get(before).kill()
        with pytest.raises(SandboxDiedError):
            process.receive_line(ANSWER_S)
    assert pool.run("print('up')", writable=False) == "up"
    assert before not in ours(docker_client)


def test_pool_is_bounded_and_ends_with_its_sandbox(
    pool: Pool, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    for number in range(MAX_IDLE + 2):
        workspace = tmp_path / f"workspace-{number}"
        workspace.mkdir()
        assert pool.run("print('up')", workspace=workspace) == "up"
    assert len(ours(docker_client)) == MAX_IDLE
    pool.sandbox.close()
    deadline = time.monotonic() + 10
    while ours(docker_client) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ours(docker_client) == []


def await_removal(container: Container) -> None:
    with contextlib.suppress(docker.errors.NotFound):
        container.wait(condition="removed", timeout=10)


def test_containers_of_the_dead_are_removed_and_of_nobody_else(
    docker_image: str, docker_client: docker.DockerClient
) -> None:
    me = this_process()
    owners = {
        "alive": me,
        "successor": Owner(me.host, me.boot, me.namespace, me.pid, me.started + 1),
        "before the boot": Owner(me.host, "0", me.namespace, 1, 1),
        "elsewhere": Owner("another", me.boot, me.namespace, me.pid, 1),
        "other namespace": Owner(me.host, me.boot, "1", me.pid, 1),
        "no owner": "4711",
    }
    made = {
        name: docker_client.containers.create(
            docker_image, ["/bin/sleep", "600"], labels={LABEL: str(owner)}, network_mode="none"
        )
        for name, owner in owners.items()
    }
    try:
        remove_orphans(docker_client)
        # Tests of another process may have removed them first, or be at it.
        for name in ("successor", "before the boot"):
            await_removal(made[name])
        left = {container.id for container in docker_client.containers.list(all=True)}
        assert {name for name, container in made.items() if container.id in left} == {
            *("alive", "elsewhere", "other namespace", "no owner")
        }
    finally:
        for container in made.values():
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True)


def test_neither_the_engine_nor_the_kernels_secrets_can_be_reached(pool: Pool) -> None:
    code = """
import os
paths = ["/var/run/docker.sock", "/run/docker.sock", %r]
secrets = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"]
found = [path for path in paths if os.path.exists(path)]
for path in secrets:
    try:
        if os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1):
            found.append(path)
    except OSError:
        pass
for path in ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/fs/cgroup/probe"):
    try:
        open(path, "w")
        found.append(path)
    except OSError:
        pass
print(found)
"""
    socket = os.environ["DOCKER_HOST"].removeprefix("unix://")
    assert pool.run(code % socket, writable=False) == "[]"
