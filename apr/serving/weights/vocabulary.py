"""Text and token ids: encoding, the bytes behind each id, and the chat template of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from apr.core.errors import BadInputError

# How the text is cut before byte pairs are merged, by the name that GGUF files give the rule.
CUTS = {
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
ENDS = frozenset(
    ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|end▁of▁sentence|>", "</s>")
)
CONTROL, USER_DEFINED = 3, 4  # token types of GGUF files


class Vocabulary:
    """A tokenizer and its chat template; `ends` are the ids that end an answer."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        ends: Sequence[int],
        template: str | None = None,
        words: Mapping[str, str] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self.ends = tuple(sorted(set(ends)))
        self._template = template
        self._words = dict(words or {})

    def encode(self, text: str, *, is_rendered: bool = False) -> list[int]:
        """Token ids; a rendered chat already holds the special tokens that a bare text gets."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=not is_rendered).ids
        return ids

    def render_chat(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The conversation as the model was trained on it, up to where its answer begins.

        Raises:
            BadInputError: when the model has no chat template, or the template refuses.
        """
        if self._template is None:
            raise BadInputError("the model has no chat template; ask /v1/completions instead")
        try:
            text = self._compiled.render(
                messages=messages, add_generation_prompt=True, tools=None, **self._words
            )
        except jinja2.TemplateError as error:
            raise BadInputError(f"the chat template refuses these messages: {error}") from None
        return text

    @cached_property
    def _compiled(self) -> jinja2.Template:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        return environment.from_string(str(self._template))

    @cached_property
    def pieces(self) -> list[bytes]:
        """What each id adds to the text; nothing for special tokens."""
        added = self._tokenizer.get_added_tokens_decoder()
        spelled = self._tokenizer.get_vocab(with_added_tokens=True)
        pieces = [b""] * (max(spelled.values(), default=-1) + 1)
        unspell = _from_bytes if self._is_byte_level else _from_marks
        for word, identity in spelled.items():
            token = added.get(identity)
            if token is None:
                pieces[identity] = unspell(word)
            elif not token.special:
                pieces[identity] = word.encode()
        return pieces

    def piece(self, token: int) -> bytes:
        """What one id adds to the text; ids beyond the vocabulary add nothing."""
        return self.pieces[token] if token < len(self.pieces) else b""

    @property
    def _is_byte_level(self) -> bool:
        return '"ByteLevel"' in json.dumps(json.loads(self._tokenizer.to_str())["decoder"])

    def text(self, ids: Sequence[int]) -> str:
        """The text of a whole answer; ids beyond the vocabulary say nothing."""
        return b"".join(map(self.piece, ids)).decode("utf-8", "replace")


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def _byte_letters() -> dict[str, int]:
    """The printable letter by which byte-level vocabularies spell each byte (GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(byte): byte for byte in printable}
    hidden = (byte for byte in range(256) if byte not in printable)
    return letters | {chr(256 + i): byte for i, byte in enumerate(hidden)}


BYTE_OF_LETTER = _byte_letters()


def _from_bytes(word: str) -> bytes:
    try:
        return bytes(BYTE_OF_LETTER[letter] for letter in word)
    except KeyError:
        return word.encode()


def _from_marks(word: str) -> bytes:
    """SentencePiece: a low line block for a space, bytes that have no letter as <0xAB>."""
    if len(word) == 6 and word.startswith("<0x") and word.endswith(">"):
        return bytes([int(word[3:5], 16)])
    return word.replace("▁", " ").encode()


def vocabulary_of_folder(folder: Path) -> Vocabulary:
    """The vocabulary of a Hugging Face folder.

    Raises:
        BadInputError: when its `tokenizer.json` is missing or cannot be read.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BadInputError(f"{folder} has no tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise BadInputError(f"{path} cannot be read: {error}") from None
    config = read_json(folder / "tokenizer_config.json")
    ends = _ends_of_folder(folder, tokenizer, config)
    words = {
        name: _spelling(config[name]) for name in ("bos_token", "eos_token") if config.get(name)
    }
    return Vocabulary(tokenizer, ends, _template_of_folder(folder, config), words)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty when there is no file.

    Raises:
        BadInputError: when the file holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise BadInputError(f"{path} holds no JSON object")
    return found


def _spelling(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)


def _ends_of_folder(folder: Path, tokenizer: Tokenizer, config: Mapping[str, Any]) -> list[int]:
    for source in ("generation_config.json", "config.json"):
        ends = read_json(folder / source).get("eos_token_id")
        if ends is not None:
            return list(ends) if isinstance(ends, list) else [int(ends)]
    end = tokenizer.token_to_id(_spelling(config["eos_token"])) if config.get("eos_token") else None
    return [] if end is None else [end]


def _template_of_folder(folder: Path, config: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default")
    return None if template is None else str(template)


def vocabulary_of_gguf(metadata: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary inside a GGUF file.

    Raises:
        BadInputError: when it is not byte-level BPE, or cuts texts by an unknown rule.
    """
    kind = metadata.get("tokenizer.ggml.model")
    cut = CUTS.get(str(metadata.get("tokenizer.ggml.pre", "gpt-2")))
    if kind != "gpt2" or cut is None:
        known = ", ".join(CUTS)
        raise BadInputError(
            f"the file's tokenizer is {kind!r} cut by {metadata.get('tokenizer.ggml.pre')!r}; GGUF"
            f" files need 'gpt2' cut by one of {known}: use the Hugging Face folder instead"
        )
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    tokenizer = _byte_pairs(metadata, cut)
    for token, sort in zip(tokens, kinds, strict=True):
        if sort in (CONTROL, USER_DEFINED):
            tokenizer.add_tokens([AddedToken(token, normalized=False, special=sort == CONTROL)])
    ends = [i for i, token in enumerate(tokens) if kinds[i] == CONTROL and token in ENDS]
    words = {
        f"{name}_token": tokens[metadata[f"tokenizer.ggml.{name}_token_id"]]
        for name in ("bos", "eos")
        if f"tokenizer.ggml.{name}_token_id" in metadata
    }
    ends.append(int(metadata["tokenizer.ggml.eos_token_id"]))
    return Vocabulary(tokenizer, ends, metadata.get("tokenizer.chat_template"), words)


def _byte_pairs(metadata: Mapping[str, Any], cut: str) -> Tokenizer:
    spelled = {token: i for i, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    merges = [tuple(pair.split(" ")) for pair in metadata["tokenizer.ggml.merges"]]
    try:
        tokenizer = Tokenizer(models.BPE(vocab=spelled, merges=merges))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise BadInputError(f"the file's vocabulary makes no sense: {error}") from None
    if metadata["tokenizer.ggml.pre"] == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(cut), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
