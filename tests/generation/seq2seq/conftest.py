"""One tiny bundle for all tests of the repair model, and the bug that it has learnt to mend."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.location import Location, SuspiciousLocation
from apr.core.patch import Patch
from apr.core.ports import RepairContext
from apr.generation.retrieval import index_lines
from apr.generation.seq2seq.format import render
from apr.generation.seq2seq.sites import find_sites, show_site
from apr.source.statements import index_source
from support.tiny_seq2seq import make_bundle, make_network, make_tokenizer

BUGGY = "def total(items):\n    result = sum(items) - 1\n    return result\n"
FIXED = "    result = sum(items)\n"
INSERTED = "    items = list(items)\n"


def make_context(text: str = BUGGY, lines: tuple[int, ...] = (2,)) -> RepairContext:
    """A program with suspects on these lines."""
    suspects = tuple(SuspiciousLocation(Location("m.py", n, n), 1.0, "given") for n in lines)
    bug = Bug("/nowhere", TestCommand(RunnerKind.PYTEST))
    return RepairContext(bug, {"m.py": text}, suspects, (), {})


def make_lessons() -> Mapping[str, str]:
    """Of the places around the bug: a replacement, an insertion, and nothing to insert."""
    context = make_context()
    lessons: dict[str, str] = {}
    index = index_source("m.py", BUGGY)
    for site in find_sites(context.sources, context.locations, Patch(), 9):
        shown = show_site(site, BUGGY, index, index_lines(context.sources))
        rendering = None if shown is None else render(shown)
        assert rendering is not None
        fixed = [FIXED] if site.count else [INSERTED] if site.first == 2 else []
        target = rendering.target([line.rstrip("\n") for line in fixed])
        assert target is not None
        lessons[rendering.source] = target
    return lessons


@dataclass(frozen=True)
class Trained:
    """A network with its tokenizer and what it was taught."""

    tokenizer: Any
    network: Any
    lessons: Mapping[str, str]


@pytest.fixture(scope="session")
def trained() -> Trained:
    for package in ("ctranslate2", "tokenizers", "torch", "transformers"):
        pytest.importorskip(package)
    tokenizer, lessons = make_tokenizer(), make_lessons()
    return Trained(tokenizer, make_network(tokenizer, lessons), lessons)


@pytest.fixture(scope="session")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network in int8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = tmp_path_factory.mktemp("model") / "int8"
        return make_bundle(folder, trained.tokenizer, trained.network)
