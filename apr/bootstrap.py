"""The only place where the parts are wired together for a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from apr.core.errors import BadInputError, StoreError
from apr.core.model import Purse, ReplyStore
from apr.core.ports import Evaluator, Generator, RepairContext
from apr.core.tracing import NoTracing, Tracing
from apr.generation.assembly.generator import AssemblingGenerator, AssemblySettings
from apr.repair import Conversation, Proposer
from apr.search.reward import MixedReward, TestReward
from apr.service import Service
from apr.settings import AppSettings, ModelSettings, RunSettings
from apr.storage.blobs import open_blobs
from apr.storage.engine import make_engine
from apr.storage.exchanges import ExchangeBook
from apr.storage.migrate import ensure_schema
from apr.storage.patience import patient
from apr.storage.replies import SqlReplyStore
from apr.storage.store import SqlRunStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from apr.generation.prompt.differentiating import AuthorSettings, ModelAuthor
    from apr.generation.prompt.generator import PromptGenerator
    from apr.generation.prompt.reproducing import ReproductionAuthor
    from apr.generation.prompt.settings import PromptSettings
    from apr.llm.cache import CachingClient
    from apr.llm.client import OpenAIClient
    from apr.llm.endpoint import Endpoint
    from apr.llm.limits import OpenWindow

MODEL_CANDIDATES = 10
"""Patches that a language model is asked for per hunk: all of them are waited for."""


def bootstrap(
    settings: AppSettings | None = None,
    *,
    is_patient: bool = False,
    open_window: OpenWindow | None = None,
) -> Service:
    """A service on the configured database, embedded in this process.

    `is_patient`: it waits while the database is restarted or its disk is full. `open_window`:
    how the rate limits of models are shared with other processes; None: they are not.

    Raises:
        StoreError: when the database cannot be opened or brought up to date.
        BadInputError, EnvironmentUnusableError: when the place of artifacts, or an endpoint for
            traces, cannot be used.
    """
    settings = settings or AppSettings()
    engine = open_engine(settings)
    return make_service(engine, settings, is_patient=is_patient, open_window=open_window)


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


def make_service(
    engine: Engine,
    settings: AppSettings,
    *,
    is_patient: bool = False,
    open_window: OpenWindow | None = None,
) -> Service:
    """A service on an open database; see `bootstrap`."""
    blobs = None if settings.artifacts is None else open_blobs(settings.artifacts)
    store, replies = SqlRunStore(engine, blobs=blobs), SqlReplyStore(engine)
    if is_patient:
        store, replies = patient(store), patient(replies)
    proposing = partial(open_proposer, replies, open_window=open_window)
    tracing = make_tracing(settings)
    return Service(store, proposing, lease_s=settings.lease_s, tracing=tracing)


def make_tracing(settings: AppSettings) -> Tracing:
    """Where spans go, if anywhere.

    Raises:
        BadInputError, EnvironmentUnusableError: when an endpoint is set and cannot be used.
    """
    if settings.otlp_endpoint is None:
        return NoTracing()
    from apr.telemetry import OpenTelemetryTracing

    return OpenTelemetryTracing(settings.otlp_endpoint)


@contextmanager
def open_proposer(
    replies: ReplyStore,
    settings: RunSettings,
    context: RepairContext,
    purse: Purse,
    *,
    open_window: OpenWindow | None = None,
) -> Iterator[Proposer]:
    """The generator and the evaluator that a run asks for; a model is not asked twice.

    Raises:
        BadInputError: when the settings name no usable model, or a cap on the money of one
            whose price is unknown.
    """
    tests = TestReward()
    if settings.generator != "llm":
        yield make_proposer(settings, make_embedded_generator(settings), tests)
        return
    chosen = settings.llm
    if chosen is None:
        raise BadInputError("the generator llm needs a model: name one with --model")
    from apr.generation.prompt.generator import PromptGenerator
    from apr.generation.prompt.judge import ModelJudge
    from apr.generation.prompt.settings import Interface
    from apr.llm.cache import CachingClient
    from apr.llm.client import OpenAIClient
    from apr.llm.limits import open_local

    endpoint = make_endpoint(chosen, caps_money=purse.caps_money)
    with OpenAIClient(endpoint, purse, context.seed, open_window or open_local) as asked:
        client = CachingClient(asked, replies, chosen.base_url or "")
        book = ExchangeBook(replies, context.bug, context.seed, chosen)
        generator = PromptGenerator(client, make_prompt_settings(chosen), book.keep)
        judge = ModelJudge(client, context, generator.answers, Interface(chosen.interface))
        evaluator = MixedReward(tests, judge, chosen.judge_weight, chosen.judge_bounded)
        yield make_proposer(
            settings, generator, evaluator, lambda: conversation(asked, client, generator)
        )


def make_proposer(
    settings: RunSettings,
    generator: Generator,
    evaluator: Evaluator,
    conversation: Callable[[], Conversation] | None = None,
) -> Proposer:
    """The generator as it is, or made to mend a bug hunk by hunk."""
    if settings.preset != "multimend":
        return Proposer(generator, evaluator, conversation)
    most = MODEL_CANDIDATES if conversation is not None else AssemblySettings().candidates
    assembling = AssemblingGenerator(generator, AssemblySettings(candidates=most))
    return Proposer(assembling, evaluator, conversation, lambda: assembling.assembled)


@contextmanager
def open_author(
    chosen: ModelSettings,
    purse: Purse,
    names: Sequence[str],
    issue: str,
    how: AuthorSettings,
) -> Iterator[ModelAuthor]:
    """A model that writes tests of the versions with these names; it is not asked twice.

    Raises:
        BadInputError: when there is no such model, no key, or no price for a cap on money.
        StoreError: when the database that keeps its answers cannot be opened.
    """
    from apr.generation.prompt.differentiating import ModelAuthor

    with _open_client(chosen, purse, how.seed) as client:
        yield ModelAuthor(client, names, issue, how)


@contextmanager
def open_reproducer(chosen: ModelSettings, purse: Purse, seed: int) -> Iterator[ReproductionAuthor]:
    """A model that writes tests of what an issue reports; see `open_author`."""
    from apr.generation.prompt import reproducing

    how = reproducing.ReproducingSettings(
        min(chosen.prompt_tokens, reproducing.PROMPT_TOKENS),
        min(chosen.answer_tokens, reproducing.ANSWER_TOKENS),
        temperature=chosen.temperature,
        seed=seed,
    )
    with _open_client(chosen, purse, seed) as client:
        yield reproducing.ReproductionAuthor(client, how)


@contextmanager
def _open_client(chosen: ModelSettings, purse: Purse, seed: int) -> Iterator[CachingClient]:
    """A model outside of any run, which is not asked the same twice."""
    from apr.llm.cache import CachingClient
    from apr.llm.client import OpenAIClient

    endpoint = make_endpoint(chosen, caps_money=purse.caps_money)
    endpoint.api_key()
    replies = SqlReplyStore(open_engine(AppSettings()))
    with OpenAIClient(endpoint, purse, seed) as asked:
        yield CachingClient(asked, replies, chosen.base_url or "")


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


def make_embedded_generator(settings: RunSettings) -> Generator:
    """The templates, the repair model, or both.

    Raises:
        EnvironmentUnusableError: when there is no repair model here, or not that of the run.
        BadInputError: when it cannot be read.
    """
    if settings.generator == "template":
        return make_template_generator()
    from apr.generation.retrieval.embedding import SentenceEmbedder
    from apr.generation.seq2seq.calibration import as_it_is, calibrate_by
    from apr.generation.seq2seq.generator import Seq2SeqGenerator, Seq2SeqSettings
    from apr.generation.seq2seq.hybrid import HybridGenerator, Voice
    from apr.generation.seq2seq.model import find_model

    model = find_model(settings.repair_model)
    embedder = None if settings.embedder is None else SentenceEmbedder(Path(settings.embedder))
    asking = Seq2SeqSettings(retrieval=settings.retrieval)
    proposing = Seq2SeqGenerator(model, asking, embedder)
    if settings.generator == "seq2seq":
        return proposing
    table = model.facts.calibration.get("template")
    templates = Voice(make_template_generator(), calibrate_by(table) if table else as_it_is)
    return HybridGenerator([Voice(proposing, as_it_is), templates])


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
