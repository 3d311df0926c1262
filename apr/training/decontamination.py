"""Keeps the benchmarks out of the training data: by project, by function name, and by n-grams.

Projects that benchmarks take their bugs from are refused whole. Given the sources of a benchmark,
so is every example whose function bears the name of one of theirs, or that shares NGRAM tokens in
a row with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NGRAM = 16
"""Tokens in a row. Shorter ones are idioms that everybody writes."""
SUBJECTS = {
    "QuixBugs": "quixbugs",
    "HumanEval": "human-eval humaneval octopack humanevalpack human-eval-java",
    "BugsInPy": "bugsinpy ansible black cookiecutter fastapi httpie keras luigi"
    " matplotlib pandas pysnooper sanic scrapy spacy thefuck tornado tqdm"
    " youtube-dl",
    "Defects4J": "defects4j jfreechart commons-cli closure-compiler commons-codec"
    " commons-collections commons-compress commons-csv gson jackson-core"
    " jackson-databind jackson-dataformat-xml jsoup commons-jxpath"
    " commons-lang commons-math mockito joda-time",
    "SWE-bench": "astropy django matplotlib seaborn flask requests xarray pylint pytest"
    " scikit-learn sphinx sympy sqlfluff marshmallow pvlib-python astroid"
    " pyvista pydicom druid lucene gson javaparser lombok rxjava axios babel"
    " docusaurus immutable-js three.js preact core vue jq micropython redis"
    " valkey",
}  # fmt: skip
"""The projects of each benchmark; of the multilingual SWE-bench those in our languages."""
_PROJECTS = {name for names in SUBJECTS.values() for name in names.split()}
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|[^\w\s]")
_SPECIAL = re.compile(
    r"<(?:pad|s|/s|retrieved|before|buggy|after|python|java|javascript|c|mask_\d+)>"
)
_DEFINITION = re.compile(r"\b(?:def|function)\s+(\w+)|\b(\w+)\s*\([^;{}()]*\)\s*\{")


@dataclass(frozen=True, slots=True)
class Contamination:
    """What may not occur: hashes of n-grams, and the names of functions, without underscores."""

    ngrams: frozenset[int] = frozenset()
    functions: frozenset[str] = frozenset()

    def refuses(self, text: str, function: str = "") -> str | None:
        """Why some code cannot be trained on; None when it can."""
        if _plain(function) in self.functions:
            return "function"
        return "n-gram" if any(gram in self.ngrams for gram in _ngrams(text)) else None

    def refuses_file(self, text: str) -> str | None:
        """The same for a whole file, with all functions that it defines."""
        names = {_plain(one or other) for one, other in _DEFINITION.findall(text)}
        return "function" if names & self.functions else self.refuses(text)


def is_subject(project: str) -> bool:
    """Whether a benchmark takes bugs from a project, by `owner/name` or name."""
    return project.lower().rsplit("/", 1)[-1] in _PROJECTS


def contamination_of(sources: Iterable[str], functions: Iterable[str] = ()) -> Contamination:
    """What the sources of benchmarks forbid, and the names of the functions under repair there."""
    ngrams = frozenset(gram for text in sources for gram in _ngrams(text))
    return Contamination(ngrams, frozenset(_plain(name) for name in functions) - {""})


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _ngrams(text: str) -> Iterator[int]:
    tokens = _TOKEN.findall(_SPECIAL.sub(" ", text))
    return (hash(tuple(tokens[n : n + NGRAM])) for n in range(len(tokens) - NGRAM + 1))
