"""Pairs of versions of a program of which it is known whether they behave differently."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pair:
    """A program beside the same program with the file `path` changed to `text`.

    `hidden` are the tests of its suite that are left out on both sides, since they would tell.
    """

    program: str
    change: str
    path: str
    function: str
    text: str
    differs: bool
    hidden: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells the pair apart."""
        return hashlib.sha256(f"{self.program}\0{self.path}\0{self.text}".encode()).hexdigest()[:16]


class Planted(Protocol):
    """A correct program with the files of its suite."""

    @property
    def name(self) -> str: ...

    @property
    def sources(self) -> Mapping[str, str]:
        """The texts of its Python files, by relative path."""
        ...

    def make_pairs(self, count: int, rng: Random) -> list[Pair]:
        """At most `count` rewritings and twice as many mutants."""
        ...

    def write(self, root: Path, pair: Pair, text: str) -> None:
        """Write the program with its suite into the folder, with this text for the pair's file."""
        ...


def printed(text: str) -> str:
    """The program as it is printed from its syntax tree: the sides differ in nothing else."""
    return ast.unparse(ast.parse(text)) + "\n"


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write texts by relative path."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
