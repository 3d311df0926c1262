"""From what the projects gave to what is trained on: each example once, and split by project."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from apr.core.errors import BadInputError
from apr.training.collecting import ABOUT, CODE, MINED, About
from apr.training.decontamination import Contamination, is_subject
from apr.training.examples import (
    SPLITS,
    Example,
    SourceFile,
    load_examples,
    load_sources,
    save_records,
)

TRAIN, VALID, TEST = SPLITS
CARD = "card.json"


def select(projects: Path, output: Path, contamination: Contamination) -> None:
    """Write `SPLIT.sources.xz`, `SPLIT.mined.xz` and a card with the numbers into `output`.

    Raises:
        BadInputError: `projects` holds nothing that `collect` wrote.
    """
    abouts = [About(**json.loads(path.read_text())) for path in sorted(projects.glob(f"*.{ABOUT}"))]
    if not abouts:
        raise BadInputError(f"{projects} holds no *.{ABOUT}; apr train collect writes it")
    splits = split_projects({about.project: about.language for about in abouts})
    output.mkdir(parents=True, exist_ok=True)
    card = Card(abouts, splits)
    seen: set[bytes] = set()
    for split in SPLITS:
        names = [about.project for about in abouts if splits[about.project] == split]
        files = (file for name in names for file in load_sources(_path(projects, name, CODE)))
        save_records(output / f"{split}.sources.xz", card.note_files(unique(files, seen)))
        mined = (example for name in names for example in _mined(projects, name))
        kept = clean(mined, contamination, seen, card.refused)
        save_records(output / f"{split}.mined.xz", card.note_examples(split, kept))
    (output / CARD).write_text(card.render())


class Card:
    """Counts what goes by, for the data card."""

    def __init__(self, abouts: Iterable[About], splits: Mapping[str, str]) -> None:
        self.refused: Counter[str] = Counter()
        self._projects: list[dict[str, object]] = [
            {
                "project": about.project,
                "licence": about.licence,
                "language": about.language,
                "split": splits[about.project],
                "refused": about.refused,
            }
            for about in abouts
        ]
        self._examples: Counter[str] = Counter()
        self._by_project: Counter[str] = Counter()
        self._code: Counter[str] = Counter()

    def note_files(self, files: Iterable[SourceFile]) -> Iterator[SourceFile]:
        for file in files:
            self._code[file.language] += len(file.text)
            yield file

    def note_examples(self, split: str, examples: Iterable[Example]) -> Iterator[Example]:
        for example in examples:
            self._examples[f"{split} {example.language} {example.edit}"] += 1
            self._by_project[example.project] += 1
            yield example

    def render(self) -> str:
        for project in self._projects:
            project["mined"] = self._by_project[str(project["project"])]
        return json.dumps(
            {
                "projects": self._projects,
                "mined": dict(sorted(self._examples.items())),
                "code_characters": dict(self._code),
                "refused": dict(self.refused),
            },
            indent=1,
        )


def split_projects(languages: Mapping[str, str]) -> dict[str, str]:
    """The split of each project, given its main language: two of every language are held out.

    Which ones depends on their names alone, by a hash.
    """
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for project, language in languages.items():
        groups[language].append(project)
    found = dict.fromkeys(languages, TRAIN)
    for projects in groups.values():
        ranked = sorted(projects, key=lambda name: hashlib.sha256(name.encode()).digest())
        if len(ranked) > 4:
            found[ranked[0]], found[ranked[1]] = TEST, VALID
    return found


def clean(
    examples: Iterable[Example],
    contamination: Contamination,
    seen: set[bytes],
    refused: Counter[str],
) -> Iterator[Example]:
    """The examples that may be used and were not `seen` yet; `refused` counts the others."""
    for example in examples:
        key = _digest(f"{example.source}\0{example.target}")
        reason = (
            ("duplicate" if key in seen else None)
            or ("subject" if is_subject(example.project) else None)
            or contamination.refuses(example.source, example.function)
            or contamination.refuses(example.target)
        )
        if reason:
            refused[reason] += 1
        else:
            seen.add(key)
            yield example


def unique(files: Iterable[SourceFile], seen: set[bytes]) -> Iterator[SourceFile]:
    """Files of which no equal one was seen."""
    for file in files:
        key = _digest(file.text)
        if key not in seen:
            seen.add(key)
            yield file


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:12]


def _path(projects: Path, name: str, kind: str) -> Path:
    return projects / f"{name.replace('/', '+')}.{kind}"


def _mined(projects: Path, name: str) -> Iterator[Example]:
    path = _path(projects, name, MINED)
    return load_examples(path) if path.exists() else iter(())
