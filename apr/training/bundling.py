"""A trained model as the bundle that `apr.generation.seq2seq` loads: CTranslate2 in int8."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apr.generation.seq2seq.bundle import FACTS, TOKENIZER, Facts, render_facts
from apr.training.export import join, save_folder


def bundle(
    exported: Path, tokenizer: Path, output: Path, name: str, version: str, notes: Mapping[str, Any]
) -> Facts:
    """Convert what `export` wrote; `notes` are kept with the facts about the training."""
    from ctranslate2.converters import TransformersConverter

    model, manifest = join(exported)
    with TemporaryDirectory() as scratch:
        save_folder(model, tokenizer, Path(scratch))
        TransformersConverter(scratch).convert(str(output), quantization="int8", force=True)
    shutil.copy(tokenizer, output / TOKENIZER)
    training = {
        "parameters": manifest["parameters"],
        "shape": manifest["shape"],
        **manifest["progress"],
        **notes,
    }
    facts = Facts(name=name, version=version, training=training)
    (output / FACTS).write_text(render_facts(facts))
    return facts
