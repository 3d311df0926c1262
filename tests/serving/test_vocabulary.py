"""Text and token ids."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models

from apr.core.errors import BadInputError
from apr.serving.weights.checkpoint import Checkpoint
from apr.serving.weights.vocabulary import Vocabulary


@pytest.mark.parametrize("text", ["", "def f(x):\n\treturn x\n", "naïve 你好 🙂", "\r\n \x00"])
def test_a_text_survives_its_tokens(checkpoint: Checkpoint, text: str) -> None:
    vocabulary = checkpoint.vocabulary
    ids = vocabulary.encode(text)
    assert b"".join(vocabulary.pieces[i] for i in ids).decode() == text


def test_special_tokens_add_nothing_to_the_text(checkpoint: Checkpoint) -> None:
    vocabulary = checkpoint.vocabulary
    ids = vocabulary.encode("<|start|>a<|end|>", is_rendered=True)
    assert len(ids) == 3
    assert b"".join(vocabulary.pieces[i] for i in ids) == b"a"


def test_sentencepiece_marks_spaces_and_bytes() -> None:
    tokens = {"▁def": 0, "<0x0A>": 1, "x▁": 2}
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=[]))
    tokenizer.decoder = decoders.Metaspace()
    assert Vocabulary(tokenizer, []).pieces == [b" def", b"\n", b"x "]


def test_a_chat_is_rendered_as_its_template_says(checkpoint: Checkpoint) -> None:
    text = checkpoint.vocabulary.render_chat([{"role": "user", "content": "hi"}])
    assert text == "<|start|>user\nhi<|end|><|start|>assistant\n"


@pytest.mark.parametrize("template", [None, "{{ raise_exception('no system role') }}", "{% if %}"])
def test_a_template_that_refuses_is_bad_input(template: str | None) -> None:
    vocabulary = Vocabulary(Tokenizer(models.BPE()), [], template)
    with pytest.raises(BadInputError, match="template"):
        vocabulary.render_chat([{"role": "system", "content": "x"}])


def test_a_template_cannot_reach_into_python() -> None:
    template = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(BadInputError, match="unsafe"):
        Vocabulary(Tokenizer(models.BPE()), [], template).render_chat([])
