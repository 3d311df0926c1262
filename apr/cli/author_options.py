"""The options that have a language model write tests which tell versions apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from apr.cli import model_options as m
from apr.core.errors import BadInputError
from apr.core.run import Budget

if TYPE_CHECKING:
    from apr.core.model import Purse
    from validation.patchdiff.written import Author


@dataclass(frozen=True, slots=True)
class AuthorOptions:
    """What a command line says about a model that writes tests; without its name none is asked."""

    model: m.NameOption = None
    base_url: m.AddressOption = None
    api_key_env: m.KeyOption = "OPENAI_API_KEY"
    price: m.PriceOption = None
    answers: Annotated[
        int,
        typer.Option(
            "--answers",
            metavar="N",
            min=1,
            rich_help_panel=m.MODEL,
            help="Draw so many answers about each changed function.",
        ),
    ] = 2
    prompt_tokens: m.PromptTokensOption = 3000
    answer_tokens: m.AnswerTokensOption = 900
    max_cost: m.CostOption = None
    max_tokens: m.TokensOption = None

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

        chosen = ModelSettings(
            model=self.model,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            price=None if self.price is None else parse_price(self.price).parts,
        )
        how = AuthorSettings(
            self.prompt_tokens, self.answer_tokens, answers=self.answers, seed=seed
        )
        with open_author(chosen, purse, names, issue, how) as author:
            yield author
