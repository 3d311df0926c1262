"""Which endpoint to ask and how much of it may be used at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from apr.core.errors import BadInputError
from apr.llm.prices import Price
from apr.llm.retry import RetryPolicy

NO_KEY = "none"  # what servers without authentication are given


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server and one of its models.

    `base_url` None is the vendor's own address. `api_key_env` names the environment variable
    with the key: the key itself is never part of a configuration. `price` None is unknown.
    """

    model: str
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    price: Price | None = None
    concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_s: float = 300.0
    stream: bool = False
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def api_key(self) -> str:
        """The key from the environment.

        Raises:
            BadInputError: when it is missing and the vendor's own address needs one.
        """
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.base_url is None:
            raise BadInputError(
                f"the model {self.model} needs a key: set {self.api_key_env}, "
                "or name another server with --base-url"
            )
        return key or NO_KEY
