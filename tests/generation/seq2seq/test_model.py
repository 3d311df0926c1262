"""The model that runs is the model that was trained, and answers are read to their end."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apr.core.errors import BadInputError
from apr.generation.seq2seq.bundle import (
    FACTS,
    VARIABLE,
    Facts,
    find_bundle,
    read_facts,
    render_facts,
)
from apr.generation.seq2seq.model import load
from support.tiny_seq2seq import make_batch


def score_by_transformers(trained: Any, source: str, answer: str) -> float:
    """The logarithm of the answer's probability, computed by the network itself."""
    import torch

    batch = make_batch(trained.tokenizer, {source: answer})
    with torch.no_grad():
        rows = torch.log_softmax(trained.network(**batch).logits, -1)[0]
    return float(sum(rows[n, token] for n, token in enumerate(batch["labels"][0])))


def test_answers_have_the_probabilities_that_the_network_gives_them(
    trained: Any, bundle: Path
) -> None:
    model = load(bundle, threads=1)
    sources = list(trained.lessons)
    answered = model.search(sources, 8)
    for source, guesses in zip(sources, answered, strict=True):
        assert guesses[0].answer == trained.lessons[source]
        scores = [guess.score for guess in guesses]
        assert scores == sorted(scores, reverse=True)
        for guess in guesses[:3]:
            expected = score_by_transformers(trained, source, guess.answer)
            assert guess.score == pytest.approx(expected, abs=0.1), "int8 is not exact"
    assert "" in trained.lessons.values(), "nothing at all is an answer too"


def test_what_is_drawn_depends_on_the_seed_alone(trained: Any, bundle: Path) -> None:
    model = load(bundle, threads=1)
    sources = list(trained.lessons)
    drawn = model.sample(sources, 6, seed=3)
    assert model.sample(sources, 6, seed=3) == drawn
    for source, guesses in zip(sources, drawn, strict=True):
        assert trained.lessons[source] in [guess.answer for guess in guesses]


def test_tokens_are_counted_as_the_model_reads_them(bundle: Path) -> None:
    model = load(bundle, threads=1)
    assert model.count_tokens("<python><buggy>") == 2
    assert model.count_tokens("é") == 2


def test_facts_are_read_back(tmp_path: Path) -> None:
    facts = Facts("m", "2", calibration={"seq2seq": ((-2.0, 0.1), (0.0, 0.9))}, training={"a": 1})
    (tmp_path / FACTS).write_text(render_facts(facts))
    assert read_facts(tmp_path) == facts
    assert facts.title == "m 2"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"kind": "other"}', '{"kind": "apr-seq2seq", "name": 1, "odd": 2}']
)
def test_a_folder_without_a_model_is_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / FACTS).write_text(text)
    with pytest.raises(BadInputError, match="holds no repair model"):
        load(tmp_path)


def test_a_model_for_another_format_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / FACTS).write_text(render_facts(replace(Facts("m", "1"), format=99)))
    with pytest.raises(BadInputError, match="format 99"):
        load(tmp_path)


def test_a_damaged_model_is_bad_input(bundle: Path, tmp_path: Path) -> None:
    for file in bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.bin").write_bytes(b"nothing")
    with pytest.raises(BadInputError, match="cannot be read"):
        load(tmp_path)


def test_the_configured_folder_comes_first_and_has_to_exist(tmp_path: Path) -> None:
    assert find_bundle({VARIABLE: str(tmp_path)}) == tmp_path
    with pytest.raises(BadInputError, match=VARIABLE):
        find_bundle({VARIABLE: str(tmp_path / "gone")})


def test_an_installed_data_package_is_found(tmp_path: Path) -> None:
    package, facts = tmp_path / "apr_test_model", Facts("m", "1")
    package.mkdir()
    (package / "__init__.py").touch()
    (package / FACTS).write_text(render_facts(facts))
    installed = tmp_path / "apr_test_model-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: apr-test-model\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[apr.seq2seq_models]\n_first = apr_test_model\n")
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1])\n"
        "from apr.generation.seq2seq.bundle import find_bundle\n"
        "print(json.dumps([str(find_bundle({})), 'ctranslate2' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [str(package), False]
