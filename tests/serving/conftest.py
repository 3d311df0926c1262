"""Tiny random models, loaded once; without the extra `serve` there is nothing to test."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import torch

    from apr.serving.engine import Engine
    from apr.serving.network import Decoder
    from apr.serving.weights.checkpoint import Checkpoint, open_checkpoint
    from support.tiny_model import load_decoder, save_tiny_model

    torch.set_num_threads(1)  # small matrices gain nothing from more


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def checkpoint(tiny_folder: Path) -> Checkpoint:
    return open_checkpoint(tiny_folder)


@pytest.fixture(scope="session")
def decoder(checkpoint: Checkpoint) -> Decoder:
    return load_decoder(checkpoint)


@pytest.fixture
def engine(decoder: Decoder, checkpoint: Checkpoint) -> Engine:
    """Without drafts."""
    return Engine(decoder, checkpoint.vocabulary, slots=8, length=256)
