"""Do verdicts survive a machine that breaks? Candidates in a row under injected faults.

    sudo python benchmarks/faults.py --quixbugs CHECKOUT --image-archive FILE --image TAG \\
        --image-python /opt/env/bin/python [--sandbox docker] \\
        [--programs 20] [--candidates 50] [--seed 0] [--interval 5]

Every program is one run of 50 candidates by `apr resume`, the command that users have. All runs are
done twice: undisturbed, then with the same oracle while a seeded random schedule of faults hits the
machine. Whenever the owner of a run ends without a result, `apr resume` is started again. At the
end every candidate's verdict must be there once and be the same, and nothing may be left: no
container, volume, network, temporary folder, control group or process. Exit status 1 otherwise.

Needs root (it makes namespaces, mounts and control groups of its own and starts a private dockerd
in them, so nobody else's engine or process is touched) and the programs unshare and dockerd. FILE
is what `docker save TAG` writes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from faults_machine import (
    Disk,
    Engine,
    Group,
    all_pids,
    command_name,
    kill,
    press_memory,
    stopped,
)

from apr.bootstrap import bootstrap
from apr.core.bug import Bug
from apr.core.report import ValidationReport
from apr.core.run import Budget, RunStatus
from apr.datasets import quixbugs
from apr.service import ORACLE, Service
from apr.settings import AppSettings, RunSettings

INSIDE = "APR_FAULTS_INSIDE"
RESUME = (sys.executable, "-c", "from apr.cli.main import run; run()", "resume", "--quiet")
DONE = (RunStatus.SUCCEEDED, RunStatus.EXHAUSTED)
MAX_STARTS = 60  # of one run; more means that it cannot be finished
SETTLE_S = 10.0


@dataclass
class Machine:
    """The breakable things, and what was done to them."""

    engine: Engine | None
    group: Group
    temporary: Disk
    data: Disk
    rng: random.Random
    owner: int = 0
    injected: Counter[str] = field(default_factory=Counter)

    def sandboxed(self) -> list[int]:
        """The processes of all sandboxes."""
        return sorted(self.group.pids() - {self.owner})

    def inject(self, name: str) -> None:
        """One fault; it counts only when there was something to hit."""
        if FAULTS[name](self):
            self.injected[name] += 1
            say(f"  {name}")


def kill_worker(machine: Machine) -> bool:
    pids = machine.sandboxed()
    kill([machine.rng.choice(pids)] if pids else [])
    return bool(pids)


def kill_sandboxes(machine: Machine) -> bool:
    pids = machine.sandboxed()
    kill(pids)
    return bool(pids)


def kill_owner(machine: Machine) -> bool:
    kill([machine.owner])
    return True


def freeze_sandboxes(machine: Machine) -> bool:
    pids = machine.sandboxed()
    with stopped(pids):
        time.sleep(machine.rng.uniform(1, 12) if pids else 0)
    return bool(pids)


def press(machine: Machine) -> bool:
    pids = machine.sandboxed()
    group = machine.group.memory_of(machine.rng.choice(pids)) if pids else None
    if group is not None:
        press_memory(group, machine.rng.uniform(1, 4))
    return group is not None


def fill_temporary(machine: Machine) -> bool:
    machine.temporary.fill(machine.rng.uniform(1, 6))
    return True


def fill_data(machine: Machine) -> bool:
    machine.data.fill(machine.rng.uniform(1, 6))
    return True


def restart_engine(machine: Machine) -> bool:
    return _restart(machine, signal.SIGTERM)


def kill_engine(machine: Machine) -> bool:
    return _restart(machine, signal.SIGKILL)


def _restart(machine: Machine, how: signal.Signals) -> bool:
    if machine.engine is None:
        return False
    machine.engine.stop(how)
    time.sleep(machine.rng.uniform(0, 4))
    machine.engine.start()
    return True


def pause_engine(machine: Machine) -> bool:
    if machine.engine is None:
        return False
    with stopped(machine.engine.processes()):
        time.sleep(machine.rng.uniform(1, 8))
    return True


FAULTS: Mapping[str, Callable[[Machine], bool]] = {
    "a process in a sandbox killed": kill_worker,
    "all processes of all sandboxes killed": kill_sandboxes,
    "the owner killed": kill_owner,
    "the sandboxes frozen for 1 to 12 s": freeze_sandboxes,
    "a sandbox's memory used up": press,
    "disk of the temporary folders full for 1 to 6 s": fill_temporary,
    "disk of the database full for 1 to 6 s": fill_data,
    "the engine restarted": restart_engine,
    "the engine killed and started": kill_engine,
    "the engine paused for 1 to 8 s": pause_engine,
}
WEIGHTS = (10, 3, 2, 2, 3, 3, 2, 2, 1, 2)


def main() -> int:
    arguments = parse_arguments()
    if os.environ.get(INSIDE) is None:
        return start_inside()
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=arguments.work))
    name = f"apr-faults-{time.time_ns():x}"
    with Group(name) as group, contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        engine = open_engine(arguments, folder, group, stack)
        bugs = load_bugs(arguments, folder)
        rng = random.Random(arguments.seed)
        disks = (Disk(folder / "tmp", 96), Disk(folder / "data", 96))
        stack.callback(unmount, disks)
        machine = Machine(engine, group, *disks, rng)
        truth = Campaign(arguments.truth or folder / "truth", machine, arguments, bugs, None)
        truth.execute(lambda: None)
        tried = Campaign(folder / "data" / "apr", machine, arguments, bugs, truth)
        tried.execute(Schedule(machine, arguments.interval).meet)
        return report(arguments, truth, tried, leaks(machine, folder))


def start_inside() -> int:
    """This program again, in namespaces of its own, below a shell that reaps orphans."""
    spaces = ("--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
    shell = ("sh", "-c", '"$@"; exit $?', "sh")
    again = (sys.executable, *sys.argv)
    command = ["unshare", *spaces, "--mount-proc", *shell, *again]
    return subprocess.run(command, env={**os.environ, INSIDE: "1"}).returncode


def open_engine(
    arguments: argparse.Namespace, folder: Path, group: Group, stack: contextlib.ExitStack
) -> Engine | None:
    if arguments.sandbox != "docker":
        return None
    engine = Engine(folder / "engine", group.name)
    engine.start()
    stack.callback(engine.stop)
    engine.docker("load", "--input", str(arguments.image_archive))
    os.environ["DOCKER_HOST"] = engine.host
    return engine


def unmount(disks: Sequence[Disk]) -> None:
    for disk in disks:
        subprocess.run(["umount", "--lazy", str(disk.path)], check=False)


def load_bugs(arguments: argparse.Namespace, folder: Path) -> Sequence[Bug]:
    names = arguments.only or quixbugs.list_programs(arguments.quixbugs)
    random.Random(arguments.seed).shuffle(names)
    chosen = names[: arguments.programs]
    bugs = quixbugs.load(arguments.quixbugs, folder / "subjects", chosen).bugs
    python = arguments.image_python if arguments.sandbox == "docker" else arguments.python
    return [replace(bug, test_command=replace(bug.test_command, python=python)) for bug in bugs]


class Schedule:
    """When which fault comes: exponential gaps, weighted kinds, all from one seed."""

    def __init__(self, machine: Machine, interval_s: float) -> None:
        self._machine = machine
        self._interval_s = interval_s
        self._next = time.monotonic() + self._gap()

    def _gap(self) -> float:
        return self._machine.rng.expovariate(1 / self._interval_s)

    def meet(self) -> None:
        """Do what is due."""
        if time.monotonic() < self._next:
            return
        self._machine.inject(self._machine.rng.choices(list(FAULTS), WEIGHTS)[0])
        self._next = time.monotonic() + self._gap()


class Campaign:
    """One run of each program, one after the other, all in one database."""

    def __init__(
        self,
        data_dir: Path,
        machine: Machine,
        arguments: argparse.Namespace,
        bugs: Sequence[Bug],
        model: Campaign | None,
    ) -> None:
        """`model` is the campaign whose oracles are taken over.

        The runs that `data_dir` holds already are gone on with.
        """
        self._machine = machine
        self._data_dir = data_dir
        self.service: Service = bootstrap(AppSettings(data_dir=data_dir))
        self.endings: Counter[str] = Counter()
        settings = RunSettings(
            jobs=arguments.jobs,
            sandbox=arguments.sandbox,
            image=arguments.image if arguments.sandbox == "docker" else None,
            memory_mib=512,
            policy="enumerate",
            patches=arguments.candidates,
            test_timeout_s=5,
        )
        known = {run.bug.name: run.id for run in self.service.list_runs(limit=1000)}
        self.runs = {bug.name: known.get(bug.name, "") for bug in bugs}
        for bug in (bug for bug in bugs if bug.name not in known):
            budget = Budget(candidates=arguments.candidates)
            run = self.service.submit_run(bug, settings, budget, 0)
            self.runs[bug.name] = run.id
            if model is not None:
                oracle = model.service.store.load_artifact(model.runs[bug.name], ORACLE)
                assert oracle is not None
                self.service.store.save_artifact(run.id, ORACLE, oracle)

    def execute(self, meanwhile: Callable[[], None]) -> None:
        """Resume each run until it has ended, calling `meanwhile` all the time.

        Raises:
            SystemExit: when a run cannot be brought to an end.
        """
        started = time.monotonic()
        for number, (name, run_id) in enumerate(self.runs.items(), 1):
            for _ in range(MAX_STARTS):
                if self.service.get_run(run_id).status in DONE:
                    break
                self._resume(run_id, meanwhile)
            else:
                raise SystemExit(f"{name} did not end after {MAX_STARTS} starts")
            say(f"{number} of {len(self.runs)}: {name}, {time.monotonic() - started:.0f} s")

    def _resume(self, run_id: str, meanwhile: Callable[[], None]) -> None:
        machine = self._machine
        environment = {
            **os.environ,
            "APR_DATA_DIR": str(self._data_dir),
            "TMPDIR": str(machine.temporary.path),
        }
        command = ["sh", "-c", 'read -r go && exec "$@"', "sh", *RESUME, run_id]
        # Its output goes where no fault can stop it.
        with tempfile.TemporaryFile() as said:
            owner = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said
            )
            assert owner.stdin is not None
            machine.group.take(owner.pid)
            machine.owner = owner.pid
            owner.stdin.write(b"\n")
            owner.stdin.close()
            while owner.poll() is None:
                meanwhile()
                time.sleep(0.02)
            self.endings[str(owner.returncode)] += 1
            if owner.returncode not in (0, 1):
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                say(f"  apr ended with {owner.returncode}: {' '.join(lines[-1:])[:300]}")

    def reports(self) -> dict[tuple[str, str], ValidationReport]:
        """Every verdict by program and patch."""
        found = {}
        for name, run_id in self.runs.items():
            for node in self.service.tree(run_id).nodes:
                if node.report is not None:
                    key = (name, node.patch.digest)
                    assert key not in found, "a candidate was judged twice"
                    found[key] = node.report
        return found


def leaks(machine: Machine, folder: Path) -> list[str]:
    """What is left when the last owner has ended, after a moment for the kernel and the engine."""
    deadline = time.monotonic() + SETTLE_S
    while (found := list(_leaks(machine, folder))) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _leaks(machine: Machine, folder: Path) -> Sequence[str]:
    found = [f"temporary: {path.name}" for path in machine.temporary.path.iterdir()]
    found += [f"control group: {path}" for path in machine.group.folders()]
    kept = {1, os.getpid()}
    if machine.engine is not None:
        kept.update(machine.engine.processes())
        lists = {
            "container": ("ps", "--all", "--format", "{{.ID}} {{.Names}} {{.Status}}"),
            "volume": ("volume", "ls", "--quiet"),
            "network": ("network", "ls", "--filter", "type=custom", "--quiet"),
        }
        for kind, command in lists.items():
            lines = machine.engine.docker(*command).stdout.splitlines()
            found += [f"{kind}: {line}" for line in lines]
    pids = [pid for pid in all_pids() if pid not in kept]
    return [*found, *(f"process: {pid} {command_name(pid)}" for pid in pids)]


def report(
    arguments: argparse.Namespace, truth: Campaign, tried: Campaign, left: Sequence[str]
) -> int:
    """Print what was injected, what was lost, wrong or left; the exit status."""
    wanted, found = truth.reports(), tried.reports()
    lost = sorted(wanted.keys() - found.keys())
    extra = sorted(found.keys() - wanted.keys())
    both = sorted(wanted.keys() & found.keys())
    wrong = [key for key in both if wanted[key].verdict is not found[key].verdict]
    injected = tried._machine.injected
    print("| fault | injected |\n|---|---|")
    for name in FAULTS:
        print(f"| {name} | {injected[name]} |")
    print(f"| all | {sum(injected.values())} |\n")
    verdicts = Counter(report.verdict.value for report in wanted.values())
    print(f"seed {arguments.seed}, sandbox {arguments.sandbox}, {len(truth.runs)} programs,")
    print(f"{len(wanted)} candidates: " + ", ".join(f"{n} {v}" for v, n in verdicts.most_common()))
    starts = sum(tried.endings.values())
    print(f"apr was started {starts} times; exit statuses: {dict(tried.endings)}")
    print(f"lost verdicts: {len(lost)}, wrong: {len(wrong)}, superfluous: {len(extra)}")
    for name, digest in wrong:
        before, after = wanted[name, digest], found[name, digest]
        print(f"  {name} {digest[:12]}: {before.verdict} ({before.message[:200]!r})")
        print(f"    under faults: {after.verdict} ({after.message[:200]!r})")
    print(f"left over: {len(left)}")
    for line in left:
        print(f"  {line}")
    return 1 if lost or wrong or extra or left else 0


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quixbugs", type=Path, required=True)
    parser.add_argument("--sandbox", choices=("docker", "bubblewrap", "process"), default="docker")
    parser.add_argument("--image-archive", type=Path, help="what docker save has written")
    parser.add_argument("--image")
    parser.add_argument("--image-python", default="python3", help="interpreter inside the image")
    parser.add_argument("--python", default=sys.executable, help="interpreter on this machine")
    parser.add_argument("--only", nargs="*", help="the programs to choose from")
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--candidates", type=int, default=50, help="of each program")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--interval", type=float, default=5.0, help="mean seconds between faults")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--truth", type=Path, help="where the undisturbed runs are kept, or go on")
    parser.add_argument("--work", type=Path, help="where to keep data meanwhile; on a disk")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can make namespaces, mounts and control groups")
    if arguments.sandbox == "docker" and not (arguments.image and arguments.image_archive):
        parser.error("the docker sandbox needs --image and --image-archive")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
