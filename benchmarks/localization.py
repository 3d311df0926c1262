"""How well an issue's text alone points at the files and functions that its patch changes.

Usage: python benchmarks/localization.py --dataset FILE --repositories DIR [--only PREFIX]...
       [--keep FILE] [--index-of OWNER/NAME]

For every instance of SWE-bench whose repository is among the clones, the Python sources of its
base commit are ranked by the problem statement. Nothing is checked out and nothing is run: files
are read from git. An instance counts as found at k when everything that the reference patch
changes is among the first k: files that exist before, and the innermost functions that it changes
or inserts lines into (an instance whose patch changes no function is left out of those). The
reference patch is opened only to count. `--index-of` also measures how long reading all functions
of a repository takes, with an empty and with a full cache; those figures depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.core.errors import BadInputError
from apr.core.patch import Hunk, Patch
from apr.core.scope import source_paths
from apr.datasets.checkouts import find_clone
from apr.datasets.swebench.instances import Instance, load_instances
from apr.localization.issue.cache import find_units
from apr.localization.issue.rank import rank_files, rank_units
from apr.localization.issue.text import read_issue
from apr.source.functions import Function
from apr.source.statements import index_source
from apr.suspects import index_file
from validation.temporary import temporary_folder

RANKS = (1, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Found:
    """The 1-based rank of each place that the patch changes; None: not ranked at all."""

    instance: str
    files: dict[str, int | None]
    functions: dict[str, int | None]
    seconds: float

    def is_found(self, within: int, *, functions: bool) -> bool:
        """Whether all places are among the first so many."""
        ranks = (self.functions if functions else self.files).values()
        return all(rank is not None and rank <= within for rank in ranks)


def git(clone: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What git says about a clone, bare or not."""
    folder = clone / ".git" if (clone / ".git").exists() else clone
    command = ["git", "--git-dir", str(folder.resolve()), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def read_sources(clone: Path, commit: str) -> dict[str, str]:
    """The Python files of a commit that a patch may touch."""
    blobs = {}
    for line in git(clone, "ls-tree", "-r", "-z", commit).split(b"\0"):
        meta, _, path = line.partition(b"\t")
        if meta.startswith(b"100"):
            blobs[path.decode("utf-8", "surrogateescape")] = meta.split()[2]
    paths = source_paths(list(blobs), (), (".py",))
    answer = git(clone, "cat-file", "--batch", given=b"\n".join(blobs[p] for p in paths) + b"\n")
    return dict(zip(paths, _contents(answer), strict=True))


def _contents(answer: bytes) -> Iterator[str]:
    start = 0
    while start < len(answer):
        end = answer.index(b"\n", start)
        size = int(answer[start:end].split()[2])
        yield answer[end + 1 : end + 1 + size].decode("utf-8", "surrogateescape")
        start = end + 1 + size + 1


def changed_places(patch: Patch, sources: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """The files and the functions (`path::name`) that a patch changes and that are there before."""
    files, functions = set(), set()
    for hunk in patch.hunks:
        if hunk.path in sources:
            files.add(hunk.path)
            known = index_source(hunk.path, sources[hunk.path]).functions
            functions |= {f"{hunk.path}::{each.name}" for each in _changed_functions(hunk, known)}
    return files, functions


def _changed_functions(hunk: Hunk, functions: Sequence[Function]) -> list[Function]:
    """The innermost functions with a line that goes, or around a place where lines come."""
    lines = range(hunk.first, hunk.first + len(hunk.old))
    touched = [
        each
        for each in functions
        if (any(each.first <= line <= each.last for line in lines))
        or (not hunk.old and each.first < hunk.first <= each.last)
    ]
    return [
        each
        for each in touched
        if not any(
            each.first <= other.first and other.last <= each.last
            for other in touched
            if other is not each
        )
    ]


def locate(instance: Instance, clone: Path) -> Found:
    """The ranks of what the reference patch changes."""
    sources = read_sources(clone, instance.base_commit)
    started = time.process_time()
    ranking = rank_units(read_issue(instance.problem_statement), find_units(sources, index_file()))
    seconds = time.process_time() - started
    changes = parse_diff(instance.gold_patch.encode())
    before = {
        change.old_path: git(clone, "show", f"{instance.base_commit}:{change.old_path}").decode()
        for change in changes
        if change.old_path
    }
    files, functions = changed_places(patch_from_diff(changes, before), sources)
    by_file = {path: rank for rank, path in enumerate(rank_files(ranking), 1)}
    named = [f"{each.path}::{each.unit.name}" for each in ranking if each.unit.name]
    by_function = {name: rank for rank, name in reversed(list(enumerate(named, 1)))}
    return Found(
        instance.instance_id,
        dict(_ranks(files, by_file)),
        dict(_ranks(functions, by_function)),
        round(seconds, 3),
    )


def _ranks(wanted: set[str], known: Mapping[str, int]) -> Iterator[tuple[str, int | None]]:
    return ((each, known.get(each)) for each in sorted(wanted))


def measure(options: argparse.Namespace) -> list[Found]:
    """The records of all instances that can be read here."""
    found = []
    for name, instance in sorted(load_instances(options.dataset).items()):
        if options.only and not name.startswith(tuple(options.only)):
            continue
        try:
            clone = find_clone(instance.repository, options.repositories)
        except BadInputError:
            continue
        record = locate(instance, clone)
        if record.files:
            found.append(record)
    return found


def table(found: Sequence[Found]) -> str:
    """Recall by repository, in per cent of its instances."""
    heads = [f"file@{k}" for k in RANKS] + [f"function@{k}" for k in RANKS]
    lines = [f"| repository | n | {' | '.join(heads)} | with functions |"]
    lines.append("|---" * (len(heads) + 3) + "|")
    groups = {name: [f for f in found if f.instance.startswith(name)] for name in _names(found)}
    for name, group in [*groups.items(), ("all", list(found))]:
        with_functions = [each for each in group if each.functions]
        cells = [_share(group, k, functions=False) for k in RANKS]
        cells += [_share(with_functions, k, functions=True) for k in RANKS]
        lines.append(f"| {name} | {len(group)} | {' | '.join(cells)} | {len(with_functions)} |")
    return "\n".join(lines)


def _names(found: Sequence[Found]) -> list[str]:
    return list(dict.fromkeys(each.instance.rpartition("-")[0] for each in found))


def _share(group: Sequence[Found], within: int, *, functions: bool) -> str:
    if not group:
        return ""
    hits = sum(each.is_found(within, functions=functions) for each in group)
    return f"{100 * hits / len(group):.1f}"


def time_index(clone: Path) -> str:
    """How long reading a repository takes, in processor seconds."""
    sources = read_sources(clone, "HEAD")
    taken = []
    with temporary_folder("index") as folder:
        for _ in range(2):
            started = time.process_time()
            units = find_units(sources, folder / "units.sqlite")
            taken.append(time.process_time() - started)
        size = (folder / "units.sqlite").stat().st_size / 2**20
    count = sum(map(len, units.values()))
    return (
        f"{len(sources)} files, {sum(map(len, sources.values())) / 1e6:.1f} MB, {count} units:"
        f" {taken[0]:.1f} s with an empty cache, {taken[1]:.1f} s with a full one ({size:.0f} MiB)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--repositories", type=Path, required=True)
    parser.add_argument("--only", action="append")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--index-of")
    options = parser.parse_args()
    if options.index_of:
        print(time_index(find_clone(options.index_of, options.repositories)), flush=True)
    found = measure(options)
    if options.keep:
        options.keep.write_text("".join(json.dumps(asdict(each)) + "\n" for each in found))
    print(table(found))
    mean = sum(each.seconds for each in found) / max(1, len(found))
    print(f"\n{mean:.2f} processor seconds an instance, index included")


if __name__ == "__main__":
    main()
