"""Every setting of the program and of one run, with its meaning, unit and default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SandboxName = Literal["auto", "docker", "bubblewrap", "process"]
PolicyName = Literal["mcts", "enumerate", "breadth-first", "trial-and-error"]
LocalizationName = Literal["spectrum", "issue", "combined", "given", "perfect"]


def default_cache_dir() -> Path:
    """The user's cache folder for APR, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "apr"


def default_data_dir() -> Path:
    """The user's data folder for APR, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "apr"


class AppSettings(BaseSettings):
    """What is particular to this installation; read from `APR_*` environment variables."""

    model_config = SettingsConfigDict(env_prefix="APR_", extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder of the default database."""

    database_url: str | None = None
    """Any SQLAlchemy URL; None: SQLite in `data_dir`."""

    sandbox_disk_mib: int = Field(default=20 * 1024, ge=0)
    """Disk that the images made here may take, in MiB; the least recently used go first."""

    wheels: Path | None = None
    """Folder of wheels for building environments, besides what pip is configured to use."""

    build_network: str | None = None
    """Docker network of builds; None: the engine's bridge, or this machine's own without one."""

    build_timeout_s: int = Field(default=1800, ge=1)
    """Wall-clock seconds that building one image may take."""

    embedder: Path | None = None
    """Folder of a sentence encoder that chooses the lines shown to the repair model."""

    prices: Path | None = None
    """Price table for language models, in TOML; it comes before the list prices."""

    broker_url: SecretStr | None = None
    """Celery's broker, Redis or RabbitMQ; None: runs are executed by who asks for them. It may
    hold a password, so it is neither stored nor printed."""

    artifacts: str | None = None
    """Where the contents of artifacts lie: `s3://BUCKET/PREFIX`, or a folder that all machines
    share; None: in the database."""

    otlp_endpoint: str | None = None
    """OTLP/HTTP collector for traces, http://127.0.0.1:4318 for example; None: there are none."""

    slice_s: float = Field(default=120.0, gt=0)
    """Seconds that a worker gives to one run while others wait."""

    help_s: float = Field(default=20.0, gt=0)
    """Seconds for which a worker helps the searcher of one run while others ask for help."""

    task_limit_s: float = Field(default=6 * 3600.0, ge=1)
    """Seconds after which a worker's process that still works on the same task is killed; another
    one goes on with the run where it was."""

    lease_s: float = Field(default=15.0, ge=1)
    """Seconds after which a run whose owner fell silent may be taken over."""

    @property
    def store_url(self) -> str:
        """The database that is really used."""
        return self.database_url or f"sqlite:///{self.data_dir / 'apr.db'}"


class ModelSettings(BaseModel):
    """Which language model proposes patches, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """The model's name, as its server knows it."""

    base_url: str | None = None
    """Address of an OpenAI-compatible server; None: the vendor's own."""

    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable with the key; the key itself is stored nowhere."""

    price: tuple[float, float] | tuple[float, float, float] | None = None
    """US dollars for a million tokens of prompt, of answer, and of cached prompt (default: like
    any other); None: the list price, if known."""

    interface: Literal["chat", "completions"] = "chat"
    """Whether the model is talked to, or has a text to continue, as base models need it."""

    temperature: float = Field(default=0.95, ge=0, le=2)
    """Temperature of the answers; 0.95 as in APRMCTS."""

    prompt_tokens: int = Field(default=4000, ge=200)
    """Size of a prompt; what is least needed is left out."""

    answer_tokens: int = Field(default=1500, ge=16)
    """Size of an answer."""

    answer_format: Literal["function", "search-replace", "diff", "hunk"] = "function"
    """The form in which the model is asked to answer; all forms are understood."""

    feedback: bool = True
    """Whether a refinement shows what was tried and what its tests said."""

    reasoning: bool = True
    """Whether the model is asked to explain the fault first."""

    judge_weight: float = Field(default=0.0, ge=0, le=1)
    """Weight of the model's own judgement in the reward."""

    judge_bounded: bool = True
    """Whether that is a weight within one trigger test, so that the tests always come first; else
    the tests have the rest of the weight, as in APRMCTS."""

    concurrency: int = Field(default=8, ge=1)
    """Requests under way at once."""

    requests_per_minute: float | None = Field(default=None, gt=0)
    """Rate limit of the endpoint."""

    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Rate limit of the endpoint, prompts and answers together."""

    timeout_s: float = Field(default=300.0, gt=0)
    """Seconds of silence after which a request is given up; it may take four times as long."""

    stream: bool = False
    """Whether answers are streamed, so that a stalled server is noticed early."""


class TreeSettings(BaseModel):
    """Whatever of the search's shape differs from its preset; None: as the preset has it.

    The names and meanings are those of `apr.search.settings.SearchSettings`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    widening: Literal["ranked", "progressive", "once", "greedy", "adaptive"] | None = None
    formula: Literal["uct", "puct"] | None = None
    exploration: float | None = Field(default=None, ge=0)
    unvisited_bonus: float | None = Field(default=None, ge=0)
    branch: int | None = Field(default=None, ge=1)
    diverse: bool | None = None
    backpropagation: Literal["mean", "aprmcts"] | None = None
    backpropagation_alpha: float | None = Field(default=None, ge=0, le=1)
    widening_k: float | None = Field(default=None, gt=0)
    widening_alpha: float | None = Field(default=None, ge=0, le=1)
    max_children: int | None = Field(default=None, ge=1)
    agreement: int | None = Field(default=None, ge=1)
    round_share: float | None = Field(default=None, gt=0, le=1)
    virtual_loss: float | None = Field(default=None, ge=0)

    distinct: Literal["programs", "texts"] = "programs"
    """Whether patches that make the same program in other words are one candidate, or two."""


class RunSettings(BaseModel):
    """What one run does; stored with the run, and enough to repeat it with the same seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: Literal["template", "seq2seq", "hybrid", "llm"] = "template"
    """Who proposes patches: fix templates, a repair model, both in one stream, or an LLM."""

    repair_model: str | None = None
    """Name and version of the repair model; None: whichever is found."""

    retrieval: bool = True
    """Whether the repair model is shown similar lines from elsewhere."""

    embedder: str | None = None
    """Folder of a sentence encoder that chooses among similar lines; None: words alone."""

    llm: ModelSettings | None = None
    """The language model, when it is the generator."""

    formula: str = "ochiai"
    """Spectrum formula of the fault localization."""

    localization: LocalizationName = "spectrum"
    """What the suspects are ranked by: tests, the issue's text, both together; or the given
    `locations`, which are those of the reference patch where a benchmark opens it (perfect)."""

    locations: tuple[str, ...] = ()
    """Given locations: FILE:LINE, FILE:FIRST-LAST, FILE::FUNCTION or FILE; empty: none."""

    max_locations: int = Field(default=400, ge=1)
    """How many of the most suspicious statements are searched."""

    sandbox: SandboxName = "auto"
    """Which sandbox runs the subject; auto: the strongest one that works here."""

    image: str | None = None
    """Docker image with the subject's environment, or where it comes from, as
    `validation.sandbox.images` has it; None: no Docker."""

    memory_mib: int = Field(default=2048, ge=64)
    """Memory that one sandbox may use, in MiB."""

    jobs: int = Field(default=1, ge=1)
    """Candidates validated side by side."""

    repeats: int = Field(default=2, ge=2)
    """Executions of the baseline; tests that change their outcome between them are flaky."""

    must_fail: bool = True
    """Whether a test has to fail before; else a patch for a bug that names no trigger test has
    only to break nothing."""

    test_timeout_s: float = Field(default=10.0, gt=0)
    """Wall-clock seconds that a single test may take in the baseline."""

    suite_timeout_s: float = Field(default=3600.0, gt=0)
    """Wall-clock seconds that one execution of the whole suite may take."""

    floor_s: float = Field(default=0.25, gt=0)
    """CPU seconds that every test of a candidate may use on top of `factor`."""

    factor: float = Field(default=4.0, ge=1)
    """A test may use so many times the seconds that it took in the baseline."""

    confirmations: int = Field(default=2, ge=1)
    """Complete executions in fresh sandboxes before a patch is called plausible; every second one
    hides from the program that it is being tested."""

    cache: bool = True
    """Whether verdicts on equal programs are reused, those of earlier runs included."""

    reuse_baseline: bool = True
    """Whether what an earlier run has measured of the same subject is reused."""

    allow_paths: tuple[str, ...] = ()
    """Patterns, as in .gitignore, of protected files that a patch may touch nevertheless."""

    allow_reaches: tuple[str, ...] = ()
    """Kinds of capability that a patch may newly reach for; `validation.integrity` names them."""

    policy: PolicyName = "mcts"
    """Tree search, or one of the controls without a tree."""

    preset: Literal["ranked", "adaptive", "aprmcts", "multimend"] = "ranked"
    """The shape of the tree: for long ranked lists, for language models, as published in APRMCTS,
    or for patches put together hunk by hunk."""

    tree: TreeSettings = TreeSettings()
    """What differs from the preset."""

    parallel: int = Field(default=1, ge=1)
    """Nodes expanded side by side, under virtual loss."""

    batch: int | None = Field(default=None, ge=1)
    """Candidates per expansion; None: 8, or 3 as in APRMCTS, or 1 where only one at a time lets
    the search learn (trial and error, and a model's nodes expanded side by side)."""

    max_depth: int | None = Field(default=None, ge=1)
    """The most edits on top of each other; None: 3, or no limit for a language model."""

    compare_seconds: float = Field(default=0.0, ge=0)
    """Seconds for finding out how several plausible patches behave differently; 0: not at all."""

    patches: int = Field(default=1, ge=1)
    """Plausible patches to find before the search stops."""
