"""What the chaos run breaks: servers, workers, their clock, their disk and their network."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos_network import SERVERS, Network, make_network
from pydantic import SecretStr

from apr.settings import AppSettings
from support.postgres import PostgresServer, find_programs, postgres_serving
from support.services import RedisServer, WorkerProcess, redis_serving
from workers.app import make_app
from workers.queue import CeleryQueue

LEASE_S = 5
DISK = "192m"
CLOCK_SOURCE = Path(__file__).with_name("chaos_clock.c")
SIGNS = (
    "is taken over from a lost worker",
    "has lost its message and is sent again",
    "handed back: its worker is stopping",
    "handed back: others are waiting",
    "handed back: to be tried again",
    "no longer belongs to",
    "Connection to broker lost",
    "ended: ",
)


class World:
    """Everything of one installation."""

    def __init__(
        self,
        folder: Path,
        postgres: PostgresServer,
        redis: RedisServer,
        network: Network | None,
        disk: Path,
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.redis = redis
        self.network = network
        self.disk = disk
        self.workers: list[WorkerProcess] = []
        self.clock = folder / "clock"
        self.set_clock(0)
        self._clock_library = _compile_clock(folder)
        self.has_disk = disk.is_mount()

    def settings(self) -> AppSettings:
        """Of whoever submits, who is on the servers' side of the network."""
        return AppSettings(
            data_dir=self.folder / "data",
            database_url=self.postgres.url,
            broker_url=SecretStr(self.redis.url),
            lease_s=LEASE_S,
        )

    def queue(self) -> CeleryQueue:
        return CeleryQueue(make_app(self.settings()))

    @property
    def has_clock(self) -> bool:
        """Whether the first worker has a clock that can be set."""
        return self._clock_library is not None

    def set_clock(self, seconds: int) -> None:
        """Of the first worker: so many seconds ahead."""
        with self.clock.open("r+b" if self.clock.exists() else "wb") as file:  # it is mapped
            file.write(struct.pack("=q", seconds))

    def start_worker(self, number: int) -> WorkerProcess:
        """The first one has a clock of its own."""
        host = SERVERS if self.network is not None else "127.0.0.1"
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("APR_")},
            "APR_DATA_DIR": str(self.folder / "data"),
            "APR_DATABASE_URL": self.postgres.url.replace("127.0.0.1", host),
            "APR_BROKER_URL": self.redis.url.replace("127.0.0.1", host),
            "APR_LEASE_S": str(LEASE_S),
            "APR_SLICE_S": "20",
            "TMPDIR": str(self.disk),
        }
        if number == 0 and self._clock_library is not None:
            environment |= {
                "LD_PRELOAD": str(self._clock_library),
                "APR_CHAOS_CLOCK": str(self.clock),
            }
        log = self.folder / f"worker{number}.log"
        options = ("--processes", 1, "--queues", "runs,validation")
        inside = () if self.network is None else self.network.inside
        return WorkerProcess(environment, log, *options, inside=inside)

    def revive(self) -> None:
        """Start again whichever worker has ended, as systemd or Docker would."""
        for number, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                self.workers[number] = self.start_worker(number)

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(60)

    def servers(self) -> set[int]:
        """The processes of PostgreSQL and Redis."""
        pids = {self.postgres.pid, self.redis.pid}
        return pids | {below for pid in pids for below in descendants(pid)}

    def count_logged(self) -> Counter[str]:
        """How often workers said what they did about the faults."""
        text = "".join(path.read_text() for path in self.folder.glob("worker*.log"))
        return Counter({sign: text.count(sign) for sign in SIGNS})


@contextmanager
def open_world(folder: Path, workers: int) -> Iterator[World]:
    programs = find_programs()
    if programs is None or shutil.which("redis-server") is None:
        raise SystemExit("PostgreSQL's and Redis's server programs are needed")
    with ExitStack() as stack:
        network = make_network() if os.geteuid() == 0 else None
        hosts = ("127.0.0.1",) if network is None else ("127.0.0.1", SERVERS)
        postgres = stack.enter_context(postgres_serving(programs, is_durable=True, hosts=hosts))
        redis = stack.enter_context(redis_serving(hosts=hosts))
        disk = stack.enter_context(_small_disk(folder / "disk"))
        world = World(folder, postgres, redis, network, disk)
        world.workers = [world.start_worker(number) for number in range(workers)]
        try:
            for worker in world.workers:
                worker.wait_ready()
            yield world
        finally:
            world.stop_workers()
            for worker in world.workers:
                if worker.process.poll() is None:
                    worker.kill_all()


def _compile_clock(folder: Path) -> Path | None:
    """The library for a worker's own clock; None without a C compiler."""
    library = folder / "clock.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, CLOCK_SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return library


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield folder
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def descendants(root: int) -> set[int]:
    """All living processes below a process."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: set[int] = set()
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending += below
    return found


def kill_searcher(world: World, rng: random.Random) -> bool:
    """`kill -9` of the process in which a run is searched, or waits to be."""
    children = [pid for worker in world.workers for pid in worker.children()]
    return _send(rng.choice(children), signal.SIGKILL) if children else False


def kill_worker(world: World, rng: random.Random) -> bool:
    """`kill -9` of a worker with all its processes."""
    rng.choice(world.workers).kill_all()
    return True


def kill_parent(world: World, rng: random.Random) -> bool:
    """`kill -9` of a worker whose processes go on without it."""
    worker = rng.choice(world.workers)
    _send(worker.process.pid, signal.SIGKILL)
    worker.process.wait(30)
    return True


def suspend_searcher(world: World, rng: random.Random) -> bool:
    """A process stands still for longer than its lease, and then goes on as if nothing was."""
    children = [pid for worker in world.workers for pid in worker.children()]
    if not children:
        return False
    pid = rng.choice(children)
    _send(pid, signal.SIGSTOP)
    time.sleep(LEASE_S * 2)
    return _send(pid, signal.SIGCONT)


def stop_worker(world: World, rng: random.Random) -> bool:
    """SIGTERM, as for a new release."""
    return rng.choice(world.workers).stop(signal.SIGTERM) == 0


def restart_redis(world: World, rng: random.Random) -> bool:
    """`kill -9`, and some seconds without it."""
    world.redis.kill()
    time.sleep(rng.uniform(1, 6))
    world.redis.start()
    return True


def wipe_redis(world: World, rng: random.Random) -> bool:
    """The same, and its data are gone."""
    world.redis.kill(data=True)
    time.sleep(rng.uniform(1, 6))
    world.redis.start()
    return True


def restart_postgres(world: World, rng: random.Random) -> bool:
    """Every connection breaks, and some seconds without it."""
    world.postgres.stop()
    time.sleep(rng.uniform(1, 6))
    world.postgres.start()
    return True


def partition_redis(world: World, rng: random.Random) -> bool:
    """Between workers and broker nothing arrives any more, in either direction."""
    return _partition(world, world.redis.port, rng)


def partition_postgres(world: World, rng: random.Random) -> bool:
    """The same between workers and PostgreSQL."""
    return _partition(world, world.postgres.port, rng)


def _partition(world: World, port: int, rng: random.Random) -> bool:
    if world.network is None:
        return False
    with world.network.cut(port):
        time.sleep(rng.uniform(5, 20))
    return True


def jump_clock(world: World, rng: random.Random) -> bool:
    """A worker's clock goes an hour forward or back, or is right again."""
    if not world.has_clock:
        return False
    world.set_clock(rng.choice([3600, -3600, 0, 86400]))
    return True


def fill_disk(world: World, rng: random.Random) -> bool:
    """No byte is left where workers make their copies."""
    if not world.has_disk:
        return False
    filler = world.disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb") as file:
        while True:
            file.write(b"\0" * (1 << 20))
            file.flush()
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    time.sleep(rng.uniform(5, 15))
    filler.unlink()
    return True


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


FAULTS: dict[str, Callable[[World, random.Random], bool]] = {
    "kill -9 of a searching process": kill_searcher,
    "kill -9 of a whole worker": kill_worker,
    "kill -9 of a worker's parent process": kill_parent,
    "suspension beyond the lease": suspend_searcher,
    "SIGTERM of a worker": stop_worker,
    "kill -9 of Redis": restart_redis,
    "kill -9 of Redis, data lost": wipe_redis,
    "PostgreSQL restart": restart_postgres,
    "partition from Redis": partition_redis,
    "partition from PostgreSQL": partition_postgres,
    "clock jump": jump_clock,
    "disk full": fill_disk,
}
