"""Ranks functions by what an issue says of them: BM25 over words, and the names it spells out.

BM25 is Okapi's (Robertson et al. 1994), with the words of a unit's own name and path as a second
field that counts more often (BM25F, Robertson, Zaragoza and Taylor 2004). A function is scored with
its file, since an issue often describes the file's business in words that no one function holds.
Frames of tracebacks count as in `apr.localization.stacktrace`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from apr.localization.issue.text import IssueText
from apr.localization.issue.units import Unit
from apr.localization.traces import parse_trace
from apr.source.words import words_of

K1, B = 1.2, 0.75
NAME_FIELD = 4
"""A word of a unit's name, or of its path, counts like so many in its body."""
FILE_SHARE = 0.6
"""What the score of its file adds to that of a unit, both being in units of the best one."""
MENTIONED, DOTTED, PATH, TRACED = 0.3, 0.5, 0.6, 1.0
"""What is added for a name spelled out, one with its class or module, a file's name, a frame."""
DEPTH = 10

Units = Mapping[str, Sequence[Unit]]
"""By path."""


@dataclass(frozen=True, slots=True)
class ScoredUnit:
    """A unit of a file and how much the issue speaks of it, >= 0."""

    path: str
    unit: Unit
    score: float


def rank_units(issue: IssueText, units: Units) -> list[ScoredUnit]:
    """Every unit that shares a word with the issue, or is named in it; the best first."""
    places = [(path, unit) for path in sorted(units) for unit in units[path]]
    query = {word: math.log1p(weight) for word, weight in issue.weights.items()}
    found = [_look_up(query, path, unit) for path, unit in places]
    words = _normed(_bm25(query, found))
    files = _score_files(issue, query, places, found)
    named = _mentions(issue, places)
    traced = _traced(issue, units)
    scored = [
        ScoredUnit(
            path,
            unit,
            words[index] + FILE_SHARE * files[path] + named[index] + traced[path, unit.name],
        )
        for index, (path, unit) in enumerate(places)
    ]
    return sorted(
        (each for each in scored if each.score > 0),
        key=lambda each: (-each.score, each.path, each.unit.first, each.unit.name),
    )


def rank_files(ranking: Iterable[ScoredUnit]) -> list[str]:
    """The files of ranked units, each where its best unit stands."""
    return list(dict.fromkeys(each.path for each in ranking))


@dataclass(frozen=True, slots=True)
class _Found:
    """How often the words of a query occur in a text of so many words."""

    counts: Mapping[str, float]
    length: float


def _look_up(query: Mapping[str, float], path: str, unit: Unit) -> _Found:
    """The query in a unit, whose name and whose file's name are a field that counts more."""
    counts: dict[str, float] = {word: unit.words[word] for word in query.keys() & unit.words.keys()}
    named = words_of(f"{unit.name} {PurePosixPath(path).stem}")
    for word in named:
        if word in query:
            counts[word] = counts.get(word, 0) + NAME_FIELD
    return _Found(counts, unit.size + NAME_FIELD * len(named))


def _score_files(
    issue: IssueText,
    query: Mapping[str, float],
    places: Sequence[tuple[str, Unit]],
    found: Sequence[_Found],
) -> dict[str, float]:
    """The scores of files, each of which is all of its units together."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    lengths: Counter[str] = Counter()
    for (path, _), each in zip(places, found, strict=True):
        counts[path].update(each.counts)
        lengths[path] += int(each.length)
    paths = sorted(counts)
    scores = dict(
        zip(
            paths,
            _normed(_bm25(query, [_Found(counts[p], lengths[p]) for p in paths])),
            strict=True,
        )
    )
    given = (*issue.paths, *issue.names)
    for path in paths:
        if any(_is_named(path, name) for name in given):
            scores[path] += PATH
    return scores


def _is_named(path: str, given: str) -> bool:
    """Whether a name of a file, or a dotted one of a module, means this path."""
    if "/" not in given and "." not in given:
        return False
    stem = path.rpartition(".")[0]
    if "/" in given or given.endswith(path.rpartition(".")[2]):
        return path == given or path.endswith(f"/{given}") or given.endswith(f"/{path}")
    dotted = stem.removesuffix("/__init__").replace("/", ".")
    return dotted == given or dotted.endswith(f".{given}") or given.startswith(f"{dotted}.")


def _bm25(query: Mapping[str, float], texts: Sequence[_Found]) -> list[float]:
    mean = sum(text.length for text in texts) / max(1, len(texts)) or 1.0
    often = Counter(word for text in texts for word in text.counts)
    weight = {
        word: query[word] * math.log(1 + (len(texts) - count + 0.5) / (count + 0.5)) * (K1 + 1)
        for word, count in often.items()
    }
    scores = []
    for text in texts:
        norm = K1 * (1 - B + B * text.length / mean)
        scores.append(math.fsum(weight[word] * n / (n + norm) for word, n in text.counts.items()))
    return scores


def _normed(scores: Sequence[float]) -> list[float]:
    best = max(scores, default=0.0) or 1.0
    return [score / best for score in scores]


def _mentions(issue: IssueText, places: Sequence[tuple[str, Unit]]) -> list[float]:
    """For each unit, how clearly the issue spells out its name; common names say less."""
    shared = Counter(unit.name.rpartition(".")[2] for _, unit in places)
    plain = {part for name in issue.names for part in name.split(".")}
    found = []
    for path, unit in places:
        owner, _, own = unit.name.rpartition(".")
        if not own or own not in plain:
            found.append(0.0)
            continue
        around = {*owner.split("."), *PurePosixPath(path).with_suffix("").parts} - {""}
        value = DOTTED if around & plain else MENTIONED
        found.append(value / (1 + math.log(shared[own])))
    return found


def _traced(issue: IssueText, units: Units) -> Mapping[tuple[str, str], float]:
    """By path and name of a unit, the evidence of the frames that the issue shows, in [0, 1]."""
    found: defaultdict[tuple[str, str], float] = defaultdict(float)
    frames = parse_trace(issue.text, units.keys())
    for steps, frame in enumerate(reversed(frames), 1):
        inside = [
            unit
            for unit in units[frame.path]
            if unit.name.rpartition(".")[2] == frame.function and unit.name
        ]
        if inside:
            unit = min(inside, key=lambda each: abs(each.first - frame.line))
            key = (frame.path, unit.name)
            found[key] = max(found[key], TRACED / min(steps, DEPTH))
    return found
