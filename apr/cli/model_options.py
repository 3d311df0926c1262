"""The options that choose who proposes patches: templates, a repair model or a language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from apr.cli.search_options import Preset, RewardMode, SearchOptions, judge_weight
from apr.core.errors import BadInputError
from apr.core.run import Budget

MODEL = "Language model"
EMBEDDED_CANDIDATES, MODEL_CANDIDATES = 2000, 32


class GeneratorName(StrEnum):
    """Who proposes patches."""

    TEMPLATE = "template"
    SEQ2SEQ = "seq2seq"
    HYBRID = "hybrid"
    LLM = "llm"


class AnswerForm(StrEnum):
    """How a model is asked to answer."""

    FUNCTION = "function"
    SEARCH_REPLACE = "search-replace"
    DIFF = "diff"
    HUNK = "hunk"


def _option(name: str, meaning: str, **more: Any) -> Any:
    return typer.Option(name, rich_help_panel=MODEL, help=meaning, **more)


NameOption = Annotated[
    str | None, _option("--model", "The model, as its server knows it.", metavar="NAME")
]
AddressOption = Annotated[
    str | None,
    _option(
        "--base-url",
        "An OpenAI-compatible server, such as http://127.0.0.1:8080/v1. Default: the vendor's.",
        metavar="URL",
    ),
]
KeyOption = Annotated[
    str, _option("--api-key-env", "The environment variable with the key.", metavar="VAR")
]
PriceOption = Annotated[
    str | None,
    _option(
        "--price",
        "US dollars for a million tokens of prompt and of answer, such as 0.15:0.6;"
        " and of prompt that the server had cached.",
        metavar="IN:OUT[:CACHED]",
    ),
]
PromptTokensOption = Annotated[
    int, _option("--prompt-tokens", "Size of a prompt.", metavar="N", min=200)
]
AnswerTokensOption = Annotated[
    int, _option("--answer-tokens", "Size of an answer.", metavar="N", min=16)
]
CostOption = Annotated[
    float | None, _option("--max-cost", "Most dollars to spend.", metavar="USD", min=0.0)
]
TokensOption = Annotated[
    int | None, _option("--max-tokens", "Most tokens to use.", metavar="N", min=1)
]


@dataclass(frozen=True, slots=True)
class ModelOptions(SearchOptions):
    """What a command line says about the generator; None means its default."""

    generator: Annotated[
        GeneratorName | None,
        _option(
            "--generator",
            "Who proposes patches. Default: llm with --model; else templates and the repair model"
            " together (hybrid), or template where there is none.",
        ),
    ] = None
    model: NameOption = None
    base_url: AddressOption = None
    api_key_env: KeyOption = "OPENAI_API_KEY"
    price: PriceOption = None
    prices: Annotated[
        Path | None,
        _option(
            "--prices",
            "A table of prices in TOML. Default: APR_PRICES, then the list prices.",
            metavar="FILE",
        ),
    ] = None
    temperature: Annotated[
        float, _option("--temperature", "Temperature of the answers.", min=0.0, max=2.0)
    ] = 0.95
    answer: Annotated[
        AnswerForm, _option("--answer", "The form in which the model is asked to answer.")
    ] = AnswerForm.FUNCTION
    prompt_tokens: PromptTokensOption = 4000
    answer_tokens: AnswerTokensOption = 1500
    reward: Annotated[
        RewardMode | None, _option("--reward", "Who values a patch. Default: the tests.")
    ] = None
    judge: Annotated[
        float | None,
        _option(
            "--judge",
            "Weight of the model's own judgement in --reward mixed or average: 0.5.",
            metavar="W",
            min=0.0,
            max=1.0,
        ),
    ] = None
    completions: Annotated[
        bool,
        _option("--completions", "Have a base model continue a text instead of talking to it."),
    ] = False
    reasoning: Annotated[
        bool,
        _option("--reasoning/--no-reasoning", "Ask the model to explain the fault first."),
    ] = True
    feedback: Annotated[
        bool,
        _option("--feedback/--no-feedback", "Show the model what was tried and what tests said."),
    ] = True
    concurrency: Annotated[
        int, _option("--concurrency", "Requests under way at once.", metavar="N", min=1)
    ] = 8
    requests_per_minute: Annotated[
        float | None,
        _option("--requests-per-minute", "Rate limit of the endpoint.", metavar="N", min=0.001),
    ] = None
    tokens_per_minute: Annotated[
        float | None,
        _option("--tokens-per-minute", "Rate limit of the endpoint.", metavar="N", min=0.001),
    ] = None
    reply_timeout: Annotated[
        float,
        _option(
            "--reply-timeout", "Seconds that the endpoint may be silent.", metavar="S", min=0.1
        ),
    ] = 300.0
    stream: Annotated[
        bool, _option("--stream", "Have answers streamed, so that a stall is noticed early.")
    ] = False
    max_cost: CostOption = None
    max_tokens: TokensOption = None
    max_calls: Annotated[
        int | None, _option("--max-calls", "Most calls of the model.", metavar="N", min=1)
    ] = None

    @property
    def chosen(self) -> GeneratorName:
        """Who proposes patches.

        Raises:
            BadInputError: when the options contradict each other.
        """
        chosen = self.generator or _usual_generator(self.model)
        if chosen is GeneratorName.LLM and not self.model:
            raise BadInputError("--generator llm needs a model: name one with --model")
        if chosen is not GeneratorName.LLM and self.model:
            raise BadInputError(f"--generator {chosen} has no use for --model")
        return chosen

    def settings(self) -> dict[str, Any]:
        """The part of a run's settings that these options decide.

        Raises:
            BadInputError: when the options contradict each other.
        """
        chosen = self.chosen
        is_model = chosen is GeneratorName.LLM
        if judge_weight(self.reward, self.judge) and not is_model:
            raise BadInputError("a judge needs a model: name one with --model")
        model = self._model() if is_model else None
        preset = self.preset or (Preset.ADAPTIVE if is_model else Preset.RANKED)
        return {
            "generator": chosen.value,
            **_embedded_settings(chosen),
            "preset": preset.value,
            "parallel": self.parallel,
            "batch": self.batch,
            "tree": self.tree(),
            "llm": model,
        }

    def _model(self) -> dict[str, Any]:
        """The model's settings, once it is certain that it could be asked."""
        chosen = {
            "model": self.model,
            "base_url": self.base_url,
            "api_key_env": self.api_key_env,
            "price": self._price(),
            "interface": "completions" if self.completions else "chat",
            "temperature": self.temperature,
            "prompt_tokens": self.prompt_tokens,
            "answer_tokens": self.answer_tokens,
            "answer_format": self.answer.value,
            "reasoning": self.reasoning,
            "feedback": self.feedback,
            "judge_weight": judge_weight(self.reward, self.judge),
            "judge_bounded": self.reward not in (RewardMode.JUDGE, RewardMode.AVERAGE),
            "concurrency": self.concurrency,
            "requests_per_minute": self.requests_per_minute,
            "tokens_per_minute": self.tokens_per_minute,
            "timeout_s": self.reply_timeout,
            "stream": self.stream,
        }
        check_model(chosen, caps_money=self.max_cost is not None)
        return chosen

    def _price(self) -> tuple[float, ...] | None:
        from apr.llm.prices import parse_price, price_of, read_prices
        from apr.settings import AppSettings

        table = self.prices or AppSettings().prices
        if self.price is not None:
            return parse_price(self.price).parts
        if table is None or (found := price_of(str(self.model), read_prices(table))) is None:
            return None
        return found.parts

    @property
    def _usual_candidates(self) -> int:
        return MODEL_CANDIDATES if self.chosen is GeneratorName.LLM else EMBEDDED_CANDIDATES

    def budget(self, candidates: int | None, seconds: float | None) -> Budget:
        """All caps of the run; a model gets fewer candidates than the templates."""
        return Budget(
            candidates=candidates or self._usual_candidates,
            seconds=seconds,
            cost_usd=self.max_cost,
            tokens=self.max_tokens,
            calls=self.max_calls,
        )


def _usual_generator(model: str | None) -> GeneratorName:
    """Who proposes patches when nobody was named."""
    from apr.generation.seq2seq.bundle import find_bundle

    if model:
        return GeneratorName.LLM
    return GeneratorName.TEMPLATE if find_bundle() is None else GeneratorName.HYBRID


def _embedded_settings(chosen: GeneratorName) -> dict[str, Any]:
    """Which repair model is used; it is looked at before anything is run.

    Raises:
        BadInputError, EnvironmentUnusableError: when there is none that can be used.
    """
    if chosen not in (GeneratorName.SEQ2SEQ, GeneratorName.HYBRID):
        return {}
    from apr.generation.seq2seq.model import find_model
    from apr.settings import AppSettings

    embedder = AppSettings().embedder
    return {
        "repair_model": find_model().facts.title,
        "embedder": None if embedder is None else str(embedder),
    }


def check_model(chosen: Mapping[str, Any], *, caps_money: bool) -> None:
    """See to it that a run does not learn after its baseline that it has no key.

    Raises:
        BadInputError: when the address, the key or the price is missing or cannot be used.
    """
    from apr.bootstrap import make_endpoint
    from apr.settings import ModelSettings

    make_endpoint(ModelSettings(**chosen), caps_money=caps_money).api_key()
