"""Does APR apply diffs as `git apply` does? On made-up cases and on real ones.

    python benchmarks/diff_fuzz.py [--cases 100000] [--seed 0] [--seconds S] [--guided-seconds S]
        [--history CLONE ...] [--commits 2000]
        [--swebench FILE.parquet ...] [--clone OWNER/NAME=CLONE ...]

Each made-up case is a small tree and a diff for it: sound, mutated by numbers, lines, headers and
bytes, or nonsense from the words of diffs. Case N of seed S is always the same. git runs in a fresh
folder that belongs to no repository; both must accept or both refuse, and all files, modes and
links must be the same afterwards. `--guided-seconds` lets atheris, where it is installed, look for
diffs that reach new code. `--history` applies each commit's own diff, binary files, renames, copies
and modes included, to its parent's tree, and expects the commit's tree. `--swebench` parses every
patch of a SWE-bench file, and applies those of `--clone owner/name=CLONE` at their base commits.

The exit status is 1 when there is any disagreement.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from apr.core.diff import FileEntry, apply_changes, parse_diff  # noqa: E402
from apr.core.errors import AprError  # noqa: E402
from support.diff_cases import Case, make_case  # noqa: E402
from support.git_apply import GitApply, compare, ours  # noqa: E402

GUIDED_SEEDS = 2000
COUNTED = "counted "


def main() -> None:
    options = read_options()
    disagreements = 0
    with tempfile.TemporaryDirectory() as folder:
        git = GitApply(Path(folder))
        version = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
        print(version.stdout.strip())
        if options.cases:
            disagreements += run_made_up(options, git)
        if options.guided_seconds:
            disagreements += run_guided(options, git)
        for clone in options.history:
            disagreements += run_history(clone, options.commits)
        for file in options.swebench:
            disagreements += run_swebench(file, dict(c.split("=", 1) for c in options.clone), git)
        print(f"not compared, since git ran out of memory: {git.out_of_memory}")
    sys.exit(1 if disagreements else 0)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--guided-seconds", type=float, default=0.0)
    parser.add_argument("--history", type=Path, action="append", default=[])
    parser.add_argument("--commits", type=int, default=2000)
    parser.add_argument("--swebench", type=Path, action="append", default=[])
    parser.add_argument("--clone", action="append", default=[], metavar="OWNER/NAME=CLONE")
    return parser.parse_args()


def case_of(seed: int, number: int) -> Case:
    return make_case(Random(f"{seed}/{number}"))


def run_made_up(options: argparse.Namespace, git: GitApply) -> int:
    tally: Counter[str] = Counter()
    started = time.monotonic()
    for number in range(options.cases):
        if time.monotonic() - started > options.seconds:
            break
        case = case_of(options.seed, number)
        record(tally, f"case {number} of seed {options.seed}", case, compare(case, git))
    return tell("made up", tally, started)


def record(tally: Counter[str], name: str, case: Case, difference: str | None) -> None:
    tally["inputs"] += 1
    tally["applied"] += ours(case) is not None
    if difference is not None:
        tally["disagreements"] += 1
        print(f"{name}: {difference}: {case}")


def tell(what: str, tally: Counter[str], started: float) -> int:
    seconds = time.monotonic() - started
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.items()))
    print(f"{what}: {counts or 'nothing'} in {seconds:.0f} s", flush=True)
    return tally["disagreements"]


def run_guided(options: argparse.Namespace, git: GitApply) -> int:
    """Let atheris (libFuzzer) steer the bytes of diffs by the code that they reach.

    It never returns, so it runs in a child, which counts for itself.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(GUIDED_SEEDS):
            (Path(folder) / str(number)).write_bytes(case_of(options.seed, number).diff)
        command = [sys.executable, str(Path(__file__).with_name("diff_fuzz_guided.py")), folder]
        command += [f"-max_total_time={options.guided_seconds:.0f}", "-max_len=4096"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    counted = [line.removeprefix(COUNTED) for line in lines if line.startswith(COUNTED)]
    if done.returncode or not counted:
        sys.exit(f"the guided run failed: {done.stderr[-2000:]}")
    print(*(line for line in lines if not line.startswith(COUNTED)), sep="\n")
    return tell("guided", Counter(json.loads(counted[-1])), started)


def run_history(clone: Path, limit: int) -> int:
    """Each commit's diff makes its parent's tree its own."""
    started = time.monotonic()
    tally: Counter[str] = Counter()
    listed = run_git(clone, "rev-list", "--no-merges", "--min-parents=1", f"-n{limit}", "HEAD")
    for commit in listed.decode().split():
        diff = run_git(clone, "diff", "--binary", "--full-index", "-M", "-C", f"{commit}^", commit)
        if not diff:
            continue
        wanted = dict(changed_entries(clone, commit))
        before = Tree(clone, f"{commit}^")
        tally["inputs"] += 1
        try:
            result = apply_changes(parse_diff(diff), before)
        except AprError as error:
            result = {}
            print(f"{clone.name} {commit}: {error}")
        if result == wanted:
            tally["applied"] += 1
        else:
            tally["disagreements"] += 1
            print(f"{clone.name} {commit}: other files")
    return tell(f"history of {clone.name}", tally, started)


class Tree(Mapping[str, FileEntry]):
    """A commit's files, read when they are asked for."""

    def __init__(self, clone: Path, commit: str) -> None:
        self._clone = clone
        listed = run_git(clone, "ls-tree", "-r", "-z", commit).split(b"\0")[:-1]
        rows = (line.partition(b"\t") for line in listed)
        self._ids = {name_of(name): info.split() for info, _, name in rows}

    def __getitem__(self, path: str) -> FileEntry:
        mode, _, name = self._ids[path]
        return read_entry(self._clone, int(mode, 8), name.decode())

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def changed_entries(clone: Path, commit: str) -> Iterator[tuple[str, FileEntry | None]]:
    """What a commit made of each file that it touched."""
    raw = run_git(
        clone, "diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", f"{commit}^", commit
    )
    fields = raw.split(b"\0")[:-1]
    for info, name in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, new, status = info.split()
        entry = None if status == b"D" else read_entry(clone, int(mode, 8), new.decode())
        yield name_of(name), entry


def read_entry(clone: Path, mode: int, name: str) -> FileEntry:
    is_submodule = mode == 0o160000
    return FileEntry(mode, b"" if is_submodule else run_git(clone, "cat-file", "blob", name))


def name_of(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def run_git(clone: Path, *words: str) -> bytes:
    command = ["git", "-c", "safe.directory=*", "-C", str(clone), *words]
    return subprocess.run(command, capture_output=True, check=True).stdout


def run_swebench(file: Path, clones: Mapping[str, str], git: GitApply) -> int:
    """All patches parse; those of the clones at hand apply as by git."""
    import pyarrow.parquet as parquet

    started = time.monotonic()
    tally: Counter[str] = Counter()
    rows = parquet.read_table(file).to_pylist()
    for row in rows:
        for kind in ("patch", "test_patch"):
            diff = row[kind].encode()
            if not diff.strip():
                continue
            tally["inputs"] += 1
            try:
                changes = parse_diff(diff)
            except AprError as error:
                tally["disagreements"] += 1
                print(f"{row['instance_id']} {kind}: {error}")
                continue
            clone = clones.get(row["repo"])
            if clone is None:
                continue
            tree = Tree(Path(clone), row["base_commit"])
            touched = {path for c in changes for path in (c.old_path, c.new_path) if path}
            case = Case({path: tree[path] for path in touched if path in tree}, diff)
            difference = compare(case, git)
            tally["compared"] += 1
            tally["applied"] += ours(case) is not None
            if difference is not None:
                tally["disagreements"] += 1
                print(f"{row['instance_id']} {kind}: {difference}")
    return tell(f"SWE-bench {file.stem}", tally, started)


if __name__ == "__main__":
    main()
