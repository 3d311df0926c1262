"""A tiny training: data of a few hundred tokens, a model of two layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("numpy")

import numpy as np
import torch

from apr.training.corpus import TOKENIZER, Vocabulary, save_code, save_fixes, save_vocabulary
from apr.training.loop import Plan
from apr.training.schedule import Schedule
from apr.training.t5 import T5
from support.tiny_training import LINE_END, ROOM, SHAPE


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Several threads for such small matrices only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Code, and fixes whose answers are the last tokens of their sources."""
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    save_vocabulary(folder, Vocabulary(SHAPE.vocabulary, LINE_END))
    files = [random.integers(120, 160, 300).astype(np.uint16) for _ in range(6)]
    save_code(folder / "code-00.xz", files, [0, 1, 2, 3, 0, 1])
    for split in ("train", "test"):
        sources = [random.integers(120, 130, 20).astype(np.uint16) for _ in range(40)]
        facts = [[n % 4, n % 2, n % 3] for n in range(40)]
        save_fixes(folder / f"{split}-0.xz", [(s, s[-3:]) for s in sources], facts)
    return folder


@pytest.fixture
def make_model() -> Callable[[], T5]:
    def make() -> T5:
        torch.manual_seed(1)
        return T5(SHAPE)

    return make


@pytest.fixture
def make_plan(data: Path, tmp_path: Path) -> Callable[..., Plan]:
    def make(name: str, **schedule: Any) -> Plan:
        return Plan(data, tmp_path / name, Schedule(rate=5e-3, **schedule), ROOM, log_every=5)

    return make


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of 400 tokens; the file."""
    pytest.importorskip("tokenizers")
    from apr.training.tokenizer import save_tokenizer, train_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    texts = ["def total(items):\n    return sum(items)\n", "int x = 0;\n\treturn x;\n"] * 20
    save_tokenizer(folder, train_tokenizer(texts, 400))
    return folder / TOKENIZER
