"""What one project gives: its licence, its clean source files, and the fixes of its history."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from apr.core.errors import BadInputError
from apr.training.decontamination import Contamination, contamination_of, is_subject
from apr.training.examples import Example, SourceFile, save_records
from apr.training.mining import mine
from apr.training.sources import licence_of, open_repository, read_tree

CODE, MINED, ABOUT = "code.xz", "mined.xz", "about.json"
BENCHMARK_SUFFIXES = (".py", ".java", ".js", ".c", ".jsonl")


@dataclass(frozen=True, slots=True)
class About:
    """Of a project: its licence, its language with the most files, and what was refused and why."""

    project: str
    licence: str
    language: str
    files: int
    mined: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class Caps:
    """Most bytes of code and most fixes that one project gives."""

    code: int = 3_000_000
    mined: int = 3_500


def collect(
    folder: Path, project: str, output: Path, contamination: Contamination, caps: Caps = Caps()
) -> About:
    """Read one repository; what is in `output` already is not read again.

    Raises:
        BadInputError: The project belongs to a benchmark, or its licence is not a permissive one.
    """
    repository = open_repository(folder)
    licence = licence_of(repository)
    if is_subject(project):
        raise BadInputError(f"{project} is the subject of a benchmark")
    if licence is None:
        raise BadInputError(f"no permissive licence was recognized in {project}")
    stem = project.replace("/", "+")
    refused: Counter[str] = Counter()
    files = list(_clean_files(read_tree(repository, project, caps.code), contamination, refused))
    if not files:
        raise BadInputError(f"{project} has no code in a language that the model reads")
    save_records(output / f"{stem}.{CODE}", files)
    mined = output / f"{stem}.{MINED}"
    count = 0
    if caps.mined and not mined.exists():
        examples = _clean(mine(repository, project), contamination, refused)
        count = save_records(mined, islice(examples, caps.mined))
    language = Counter(file.language for file in files).most_common(1)[0][0]
    about = About(project, licence, language, len(files), count, dict(refused))
    (output / f"{stem}.{ABOUT}").write_text(json.dumps(asdict(about)) + "\n")
    repository.close()
    return about


def read_benchmarks(folders: Iterable[Path]) -> Contamination:
    """What all source files below some folders forbid."""
    texts: list[str] = []
    names: list[str] = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".jsonl":
                for line in path.read_text().splitlines():
                    row = json.loads(line)
                    texts += [str(value) for key, value in row.items() if "solution" in key]
                    names.append(str(row.get("entry_point", "")))
            elif path.suffix in BENCHMARK_SUFFIXES and path.is_file():
                texts.append(path.read_text(errors="replace"))
                names.append(path.stem)
    return contamination_of(texts, names)


def _clean_files(
    files: Iterable[SourceFile], contamination: Contamination, refused: Counter[str]
) -> Iterator[SourceFile]:
    for file in files:
        reason = contamination.refuses_file(file.text)
        if reason:
            refused[f"file: {reason}"] += 1
        else:
            yield file


def _clean(
    examples: Iterable[Example], contamination: Contamination, refused: Counter[str]
) -> Iterator[Example]:
    for example in examples:
        reason = contamination.refuses(example.source, example.function)
        if reason:
            refused[reason] += 1
        else:
            yield example
