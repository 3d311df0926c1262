"""The options that have a language model write tests which tell versions apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apr.cli.model_options import MODEL
from apr.core.errors import BadInputError
from apr.core.run import Budget

if TYPE_CHECKING:
    from apr.core.model import Purse
    from validation.patchdiff.written import Author


def _option(name: str, meaning: str, **more: Any) -> Any:
    return typer.Option(name, rich_help_panel=MODEL, help=meaning, **more)


@dataclass(frozen=True, slots=True)
class AuthorOptions:
    """What a command line says about the model; without `model` none is asked."""

    model: Annotated[
        str | None,
        _option("--model", "A model that writes tests, as its server knows it.", metavar="NAME"),
    ] = None
    base_url: Annotated[
        str | None,
        _option(
            "--base-url",
            "An OpenAI-compatible server, such as http://127.0.0.1:8080/v1. Default: the vendor's.",
            metavar="URL",
        ),
    ] = None
    api_key_env: Annotated[
        str, _option("--api-key-env", "The environment variable with the key.", metavar="VAR")
    ] = "OPENAI_API_KEY"
    price: Annotated[
        str | None,
        _option(
            "--price",
            "US dollars for a million tokens of prompt and of answer, such as 0.15:0.6.",
            metavar="IN:OUT",
        ),
    ] = None
    answers: Annotated[
        int, _option("--answers", "Answers to draw for each changed function.", metavar="N", min=1)
    ] = 2
    prompt_tokens: Annotated[
        int, _option("--prompt-tokens", "Size of a prompt.", metavar="N", min=300)
    ] = 3000
    answer_tokens: Annotated[
        int, _option("--answer-tokens", "Size of an answer.", metavar="N", min=16)
    ] = 900
    max_cost: Annotated[
        float | None, _option("--max-cost", "Most dollars to spend.", metavar="USD", min=0.0)
    ] = None
    max_tokens: Annotated[
        int | None, _option("--max-tokens", "Most tokens to use.", metavar="N", min=1)
    ] = None

    def make_purse(self) -> Purse:
        """The caps on what the model may use, for as many comparisons as share them."""
        import time

        from apr.search.budget import BudgetMeter

        return BudgetMeter(
            Budget(cost_usd=self.max_cost, tokens=self.max_tokens), clock=time.monotonic
        )

    @contextmanager
    def author(
        self, purse: Purse, names: Sequence[str], issue: str, seed: int
    ) -> Iterator[Author | None]:
        """Who writes tests of the versions with these names; None when no model was named.

        Raises:
            BadInputError: when the model could not be asked.
        """
        if self.model is None:
            if self.base_url is not None:
                raise BadInputError("--base-url names a server, but no model: add --model")
            yield None
            return
        from apr.bootstrap import open_author
        from apr.generation.prompt.differentiating import AuthorSettings
        from apr.llm.prices import parse_price
        from apr.settings import ModelSettings

        price = parse_price(self.price) if self.price is not None else None
        chosen = ModelSettings(
            model=self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            price=None if price is None else (price.prompt, price.completion),
        )
        how = AuthorSettings(
            self.prompt_tokens, self.answer_tokens, answers=self.answers, seed=seed
        )
        with open_author(chosen, purse, names, issue, how) as author:
            yield author
