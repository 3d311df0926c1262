"""One tiny bundle for all tests of the repair model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from support.tiny_seq2seq import make_bundle, make_network, make_tokenizer


@pytest.fixture(scope="session")
def network() -> tuple[Any, Any]:
    """A tokenizer and a network that fits it."""
    for package in ("ctranslate2", "tokenizers", "torch", "transformers"):
        pytest.importorskip(package)
    tokenizer = make_tokenizer()
    return tokenizer, make_network(tokenizer)


@pytest.fixture(scope="session")
def bundle(network: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network in int8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_bundle(tmp_path_factory.mktemp("model") / "int8", *network)
