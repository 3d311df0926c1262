"""How many real developer fixes the integrity gate refuses: every refusal is a false positive.

    python benchmarks/integrity_false_positives.py --clones FOLDER [--swebench FOLDER]
        [--bugsinpy CLONE] [--defects4j CLONE] [--quixbugs FOLDER] [--humanevalfix FOLDER]
        [--history N] [--output FILE]

`--clones` holds git clones named owner+name (with the repository in `repo` below, or directly);
fixes whose base commit is in none of them are counted as unavailable. Of every fix only the source
files are judged: those that `apr.core.scope` lets a patch touch. With `--history N` the newest N
commits of every clone that say that they fix something and touch at most three source files are
judged as well. `--swebench` needs pyarrow.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.core.errors import MalformedDiffError, PatchDoesNotApplyError
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch, diff_texts, split_lines
from apr.core.ports import Proposal, RepairContext
from apr.core.scope import source_paths
from apr.core.tree import SearchNode
from apr.generation.template.generator import TemplateGenerator
from apr.generation.template.python.language import PythonLanguage
from apr.generation.template.treesitter import LANGUAGES
from validation.integrity import IntegrityGate, Scope, Violation
from validation.integrity.paths import SOURCE_SUFFIXES


class Tree(Mapping[str, str]):
    """The text files of one commit of a clone, read on demand."""

    def __init__(self, clone: Clone, commit: str, paths: tuple[str, ...]) -> None:
        self._clone = clone
        self._commit = commit
        self._paths = dict.fromkeys(paths)

    def __getitem__(self, path: str) -> str:
        if path not in self._paths:
            raise KeyError(path)
        text = self._clone.read(self._commit, path)
        if text is None:
            raise KeyError(path)
        return text

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class Part(Mapping[str, str]):
    """Some of the files of a tree."""

    def __init__(self, whole: Mapping[str, str], paths: Iterable[str]) -> None:
        self._whole = whole
        self._paths = dict.fromkeys(paths)

    def __getitem__(self, path: str) -> str:
        if path not in self._paths:
            raise KeyError(path)
        return self._whole[path]

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class Clone:
    """A git repository, read through one long-lived `git cat-file`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader = subprocess.Popen(
            ["git", "-C", str(folder), "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def close(self) -> None:
        self._reader.communicate()

    def read(self, commit: str, path: str) -> str | None:
        data = self._object(f"{commit}:{path}")
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def has(self, commit: str) -> bool:
        return self._object(commit) is not None

    def _object(self, name: str) -> bytes | None:
        assert self._reader.stdin is not None and self._reader.stdout is not None
        self._reader.stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
        self._reader.stdin.flush()
        header = self._reader.stdout.readline().split()
        if header[-1:] == [b"missing"] or len(header) != 3:
            return None
        return self._reader.stdout.read(int(header[2]) + 1)[:-1]

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments], capture_output=True, check=True
        )
        return done.stdout.decode("utf-8", "surrogateescape")

    def tree(self, commit: str) -> Tree:
        """All files of a commit; links and submodules are left out."""
        entries = self.git("ls-tree", "-r", "-z", commit).split("\0")
        regular = (entry.partition("\t")[2] for entry in entries if entry.startswith("100"))
        return Tree(self, commit, tuple(regular))


Candidates = tuple[str, Mapping[str, str], Sequence[Proposal]]
"""A program's path, its sources, and what was proposed for it."""


@dataclass(frozen=True)
class Fix:
    """A real fix: the source files of the buggy version, and the patch to the fixed one."""

    corpus: str
    name: str
    sources: Mapping[str, str]
    patch: Patch


@dataclass
class Tally:
    """What became of one corpus."""

    judged: int = 0
    unavailable: int = 0
    without_source: int = 0
    refused: list[tuple[str, Violation]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def quantile_ms(self, share: float) -> float:
        """Processor milliseconds that suffice for so many checks, reading originals included."""
        times = sorted(self.seconds) or [0.0]
        return 1000 * times[min(int(len(times) * share), len(times) - 1)]


def read_diff(text: str, base: Mapping[str, str]) -> Patch:
    """The patch that a git diff means for `base`."""
    data = text.encode("utf-8", "surrogateescape")
    return patch_from_diff(parse_diff(data), base)


def source_part(patch: Patch) -> Patch:
    """Only what the patch does to files that a repair may touch, and to new ones like them."""
    wanted = set(source_paths(patch.paths, (), SOURCE_SUFFIXES))
    return Patch(
        tuple(hunk for hunk in patch.hunks if hunk.path in wanted),
        tuple(path for path in patch.created if path in wanted),
        tuple(path for path in patch.deleted if path in wanted),
    )


def swebench(folder: Path, clones: Mapping[str, Clone]) -> Iterator[Fix | str]:
    import pyarrow.parquet

    seen: set[str] = set()
    for file in sorted(folder.glob("*.parquet")):
        rows = pyarrow.parquet.read_table(
            file, columns=["repo", "instance_id", "base_commit", "patch"]
        )
        for row in rows.to_pylist():
            if row["instance_id"] in seen:
                continue
            seen.add(row["instance_id"])
            clone = clones.get(row["repo"].lower())
            if clone is None or not clone.has(row["base_commit"]):
                yield row["instance_id"]
                continue
            tree = clone.tree(row["base_commit"])
            corpus = "SWE-bench " + ("Multilingual" if "multi" in file.name else "Lite, Verified")
            yield from _fix(corpus, row["instance_id"], tree, row["patch"])


def _fix(corpus: str, name: str, base: Tree, diff: str) -> Iterator[Fix | str]:
    try:
        yield Fix(corpus, name, base, read_diff(diff, base))
    except (MalformedDiffError, PatchDoesNotApplyError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        yield name


def bugsinpy(clone: Clone, clones: Mapping[str, Clone]) -> Iterator[Fix | str]:
    names = clone.git("ls-tree", "-r", "--name-only", "HEAD").split("\n")
    for name in names:
        if not name.endswith("/bug_patch.txt"):
            continue
        project, number = name.split("/")[1], name.split("/")[3]
        info = clone.read("HEAD", f"projects/{project}/project.info") or ""
        url = re.search(r'github_url="https?://github.com/([^"]+?)/?"', info)
        bug = clone.read("HEAD", f"projects/{project}/bugs/{number}/bug.info") or ""
        commit = re.search(r'buggy_commit_id="(\w+)"', bug)
        base = clones.get(url[1].lower().removesuffix(".git")) if url else None
        if base is None or commit is None or not base.has(commit[1]):
            yield f"{project}-{number}"
            continue
        text = clone.read("HEAD", name) or ""
        yield from _fix("BugsInPy", f"{project}-{number}", base.tree(commit[1]), text)


def defects4j(clone: Clone, clones: Mapping[str, Clone]) -> Iterator[Fix | str]:
    """Their patches lead from the fixed version to the buggy one."""
    repositories = {"Lang": "apache/commons-lang", "Gson": "google/gson"}
    for project, repository in repositories.items():
        rows = clone.read("HEAD", f"framework/projects/{project}/active-bugs.csv") or ""
        for row in csv.DictReader(rows.splitlines()):
            number, commit = row["bug.id"], row["revision.id.fixed"]
            base = clones.get(repository)
            text = clone.read("HEAD", f"framework/projects/{project}/patches/{number}.src.patch")
            if base is None or text is None or not base.has(commit):
                yield f"{project}-{number}"
                continue
            fixed = base.tree(commit)
            buggy = read_diff(text, fixed).apply_edits(fixed)
            sources = {**dict.fromkeys(fixed, ""), **buggy}
            patch = diff_texts(buggy, {path: fixed[path] for path in buggy})
            yield Fix("Defects4J", f"{project}-{number}", sources, patch)


def quixbugs(folder: Path) -> Iterator[Fix | str]:
    kinds = (("python_programs", "correct_python_programs", "py"),)
    kinds += (("java_programs", "correct_java_programs", "java"),)
    for buggy, correct, suffix in kinds:
        sources = {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in sorted((folder / buggy).glob(f"*.{suffix}"))
        }
        for path, text in sources.items():
            fixed = folder / correct / Path(path).name
            if fixed.is_file() and not path.endswith("_test.py"):
                patch = diff_texts({path: text}, {path: fixed.read_text()})
                yield Fix("QuixBugs", path, sources, patch)


def template_candidates(folder: Path, count: int) -> Iterator[Candidates]:
    """What the template generator proposes for every QuixBugs program, the first `count` each."""
    paths = [*(folder / "python_programs").glob("*.py"), *(folder / "java_programs").glob("*.java")]
    for path in sorted(path for path in paths if not path.name.endswith("_test.py")):
        name = path.relative_to(folder).as_posix()
        text = path.read_text()
        lines = range(1, len(split_lines(text)) + 1)
        suspects = tuple(
            SuspiciousLocation(Location(name, line, line), 1.0, "given") for line in lines
        )
        bug = Bug(str(folder), TestCommand(RunnerKind.PYTEST))
        context = RepairContext(bug, {name: text}, suspects, (), {})
        generator = TemplateGenerator((PythonLanguage(), *LANGUAGES))
        root = SearchNode(0, None, Patch())
        yield name, {name: text}, generator.propose(context, root, count)


def judge_candidates(folder: Path, count: int, tallies: dict[str, Tally]) -> None:
    """One gate a program, as in a repair: the original is read once."""
    tally = tallies.setdefault("QuixBugs, template candidates", Tally())
    for name, sources, proposals in template_candidates(folder, count):
        gate = IntegrityGate(sources, Scope())
        for proposal in proposals:
            started = time.process_time()
            violation = gate.check(proposal.patch)
            tally.seconds.append(time.process_time() - started)
            tally.judged += 1
            if violation is not None:
                tally.refused.append((f"{name} ({proposal.origin})", violation))


def humanevalfix(folder: Path) -> Iterator[Fix | str]:
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            path = "program.py" if "python" in file.name else "Main.java"
            buggy = row["declaration"] + row["buggy_solution"]
            fixed = row["declaration"] + row["canonical_solution"]
            patch = diff_texts({path: buggy}, {path: fixed})
            yield Fix("HumanEvalFix", row["task_id"], {path: buggy}, patch)


def history(name: str, clone: Clone, count: int) -> Iterator[Fix | str]:
    """Commits that say so in their first words, with few source files."""
    log = clone.git(
        "log", "--no-merges", "--all", "-i", "-E", "--format=%H %P",
        "--grep=^(bug ?)?fix(e[sd])?\\b", f"--max-count={count * 3}",
    )  # fmt: skip
    taken = 0
    for line in log.splitlines():
        commit, _, parent = line.partition(" ")
        if not parent or " " in parent or taken >= count:
            continue
        try:
            names = clone.git("diff", "--name-only", "--diff-filter=M", "-z", parent, commit)
        except subprocess.CalledProcessError:
            continue  # a snapshot may lack large objects
        touched = source_paths(names.split("\0"), (), SOURCE_SUFFIXES)
        if not 1 <= len(touched) <= 3:
            continue
        tree = clone.tree(parent)
        changed = {path: clone.read(commit, path) for path in touched if path in tree}
        texts = {path: text for path, text in changed.items() if text is not None}
        if len(texts) != len(touched) or any(len(text) > 400_000 for text in texts.values()):
            continue
        taken += 1
        patch = diff_texts({path: tree[path] for path in texts}, texts)
        yield Fix("fix commits", f"{name}@{commit[:10]}", tree, patch)


def judge(fixes: Iterable[Fix | str], corpus: str, tallies: dict[str, Tally]) -> None:
    """Pass every fix through a gate of its own, as a repair of that bug would have one."""
    for fix in fixes:
        if isinstance(fix, str):
            tallies.setdefault(corpus, Tally()).unavailable += 1
            continue
        tally = tallies.setdefault(fix.corpus, Tally())
        patch = source_part(fix.patch)
        if not patch.paths:
            tally.without_source += 1
            continue
        names = source_paths(fix.sources, (), SOURCE_SUFFIXES)
        gate = IntegrityGate(Part(fix.sources, names), Scope())
        started = time.process_time()
        violation = gate.check(patch)
        tally.seconds.append(time.process_time() - started)
        tally.judged += 1
        if violation is not None:
            tally.refused.append((fix.name, violation))
            print(f"{fix.name}: [{violation.kind}] {violation}", file=sys.stderr, flush=True)


def render(tallies: Mapping[str, Tally], command: str) -> str:
    """The result as Markdown."""
    lines = ["# Integrity gate: false positives", "", f"    {command}", ""]
    lines.append(
        "| corpus | judged | refused | base unavailable | no source touched | median ms | 95 % ms |"
    )
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for corpus, tally in sorted(tallies.items()):
        lines.append(
            f"| {corpus} | {tally.judged} | {len(tally.refused)} | {tally.unavailable} |"
            f" {tally.without_source} | {tally.quantile_ms(0.5):.2f}"
            f" | {tally.quantile_ms(0.95):.2f} |"
        )
    judged = sum(tally.judged for tally in tallies.values())
    refused = [entry for _, tally in sorted(tallies.items()) for entry in tally.refused]
    share = 100 * len(refused) / judged if judged else 0.0
    lines += ["", f"Together {len(refused)} of {judged} refused: {share:.2f} %.", ""]
    kinds = Counter(str(violation.kind) for _, violation in refused)
    lines.append("By kind: " + (", ".join(f"{k} {n}" for k, n in kinds.most_common()) or "none"))
    lines += ["", "## Refusals", ""]
    lines += [f"- {name}: `{violation.kind}`: {violation}" for name, violation in refused]
    return "\n".join(lines) + "\n"


def find_clones(folder: Path) -> dict[str, Clone]:
    """Clones by `owner/name` in lower case."""
    clones: dict[str, Clone] = {}
    for entry in sorted(folder.iterdir()):
        candidates = (entry / "repo" / ".git", entry / "repo", entry / ".git", entry)
        git = next((path for path in candidates if (path / "HEAD").is_file()), None)
        if git is not None and "+" in entry.name:
            clones[entry.name.replace("+", "/").lower()] = Clone(git)
    return clones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("clones", "swebench", "bugsinpy", "defects4j", "quixbugs", "humanevalfix"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--candidates", type=int, default=2000, metavar="N")
    parser.add_argument("--history", type=int, default=0, metavar="N")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    clones = find_clones(options.clones) if options.clones else {}
    tallies: dict[str, Tally] = {}
    if options.quixbugs:
        judge(quixbugs(options.quixbugs), "QuixBugs", tallies)
        judge_candidates(options.quixbugs, options.candidates, tallies)
    if options.humanevalfix:
        judge(humanevalfix(options.humanevalfix), "HumanEvalFix", tallies)
    if options.bugsinpy:
        judge(bugsinpy(Clone(options.bugsinpy), clones), "BugsInPy", tallies)
    if options.defects4j:
        judge(defects4j(Clone(options.defects4j), clones), "Defects4J", tallies)
    if options.swebench:
        judge(swebench(options.swebench, clones), "SWE-bench", tallies)
    if options.history:
        for name, clone in clones.items():
            judge(history(name, clone, options.history), "fix commits", tallies)
    text = render(
        tallies,
        "python benchmarks/integrity_false_positives.py "
        + " ".join(
            f"--{key} {'…' if isinstance(value, Path) else value}"
            for key, value in vars(options).items()
            if value and key != "output"
        ),
    )
    if options.output:
        options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
