"""The only place where the parts are wired together for a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from apr.core.errors import BadInputError, StoreError
from apr.core.model import Purse, ReplyStore
from apr.core.ports import Generator, RepairContext
from apr.repair import Conversation, Proposer
from apr.search.reward import MixedReward, TestReward
from apr.service import Service
from apr.settings import AppSettings, ModelSettings, RunSettings
from apr.storage.engine import make_engine
from apr.storage.exchanges import ExchangeBook
from apr.storage.migrate import ensure_schema
from apr.storage.patience import patient
from apr.storage.replies import SqlReplyStore
from apr.storage.store import SqlRunStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from apr.generation.prompt.generator import PromptGenerator
    from apr.generation.prompt.settings import PromptSettings
    from apr.llm.cache import CachingClient
    from apr.llm.client import OpenAIClient
    from apr.llm.endpoint import Endpoint


def bootstrap(settings: AppSettings | None = None, *, is_patient: bool = False) -> Service:
    """A service on the configured database, embedded in this process.

    `is_patient`: it waits while the database is restarted or its disk is full.

    Raises:
        StoreError: when the database cannot be opened or brought up to date.
    """
    settings = settings or AppSettings()
    return make_service(open_engine(settings), settings, is_patient=is_patient)


def open_engine(settings: AppSettings) -> Engine:
    """The configured database, brought up to date.

    Raises:
        StoreError: when that cannot be done.
    """
    if settings.database_url is None:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the data folder {settings.data_dir} cannot be made: {error.strerror}"
            ) from error
    engine = make_engine(settings.store_url)
    ensure_schema(engine)
    return engine


def make_service(engine: Engine, settings: AppSettings, *, is_patient: bool = False) -> Service:
    """A service on an open database; see `bootstrap`."""
    store, replies = SqlRunStore(engine), SqlReplyStore(engine)
    if is_patient:
        store, replies = patient(store), patient(replies)
    return Service(store, partial(open_proposer, replies), lease_s=settings.lease_s)


@contextmanager
def open_proposer(
    replies: ReplyStore, settings: RunSettings, context: RepairContext, purse: Purse
) -> Iterator[Proposer]:
    """The generator and the evaluator that a run asks for; a model is not asked twice.

    Raises:
        BadInputError: when the settings name no usable model, or a cap on the money of one
            whose price is unknown.
    """
    tests = TestReward()
    if settings.generator == "template":
        yield Proposer(make_template_generator(), tests)
        return
    chosen = settings.llm
    if chosen is None:
        raise BadInputError("the generator llm needs a model: name one with --model")
    from apr.generation.prompt.generator import PromptGenerator
    from apr.generation.prompt.judge import ModelJudge
    from apr.generation.prompt.settings import Interface
    from apr.llm.cache import CachingClient
    from apr.llm.client import OpenAIClient

    endpoint = make_endpoint(chosen, caps_money=purse.caps_money)
    with OpenAIClient(endpoint, purse, context.seed) as asked:
        client = CachingClient(asked, replies, chosen.base_url or "")
        book = ExchangeBook(replies, context.bug, context.seed, chosen)
        generator = PromptGenerator(client, make_prompt_settings(chosen), book.keep)
        judge = ModelJudge(client, context, generator.answers, Interface(chosen.interface))
        evaluator = MixedReward(tests, judge, chosen.judge_weight, chosen.judge_bounded)
        yield Proposer(generator, evaluator, lambda: conversation(asked, client, generator))


def conversation(
    asked: OpenAIClient, client: CachingClient, generator: PromptGenerator
) -> Conversation:
    """What came of asking the model."""
    return Conversation(
        requests=client.asked,
        from_cache=client.answered,
        uncounted=asked.uncounted,
        is_priced=asked.is_priced,
        answers=generator.answered,
        rejected=dict(generator.rejected),
    )


def make_template_generator() -> Generator:
    """The generator that needs no model."""
    # Imported here because the syntax-tree libraries are slow to load.
    from apr.generation.template.generator import TemplateGenerator
    from apr.generation.template.python.language import PythonLanguage
    from apr.generation.template.treesitter import LANGUAGES

    return TemplateGenerator((PythonLanguage(), *LANGUAGES))


def make_endpoint(chosen: ModelSettings, *, caps_money: bool) -> Endpoint:
    """Where the model is asked.

    Raises:
        BadInputError: when the address is none, or money is capped that cannot be counted.
    """
    from apr.llm.endpoint import Endpoint, is_loopback
    from apr.llm.prices import FREE, LIST_PRICES, Price, price_of

    if chosen.price is not None:
        price: Price | None = Price(*chosen.price)
    elif chosen.base_url is None:
        price = price_of(chosen.model, LIST_PRICES)
    else:  # what runs here costs nothing, as far as anybody knows
        price = FREE if is_loopback(chosen.base_url) and not caps_money else None
    if price is None and caps_money:
        raise BadInputError(
            f"the price of {chosen.model} is unknown, so money cannot be capped: give --price"
        )
    return Endpoint(
        model=chosen.model,
        base_url=chosen.base_url,
        api_key_env=chosen.api_key_env,
        price=price,
        concurrency=chosen.concurrency,
        requests_per_minute=chosen.requests_per_minute,
        tokens_per_minute=chosen.tokens_per_minute,
        timeout_s=chosen.timeout_s,
        stream=chosen.stream,
    )


def make_prompt_settings(chosen: ModelSettings) -> PromptSettings:
    """How the model is asked."""
    from apr.generation.prompt.settings import AnswerFormat, Interface, PromptSettings

    return PromptSettings(
        answer_format=AnswerFormat(chosen.answer_format),
        prompt_tokens=chosen.prompt_tokens,
        answer_tokens=chosen.answer_tokens,
        feedback=chosen.feedback,
        reasoning=chosen.reasoning,
        temperature=chosen.temperature,
        interface=Interface(chosen.interface),
    )
