"""Which endpoint to ask and how much of it may be used at once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from apr.core.errors import BadInputError
from apr.llm.prices import Price
from apr.llm.retry import RetryPolicy

NO_KEY = "none"  # what servers without authentication are given
TRICKLE = 4.0  # how many times its timeout a reply may take that keeps coming
MAX_REPLY_BYTES = 32 << 20
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server and one of its models.

    `base_url` None is the vendor's own address. `api_key_env` names the environment variable
    with the key: the key itself is never part of a configuration. `price` None is unknown.
    `timeout_s` is how long the server may be silent; a whole reply may take `TRICKLE` times that.

    Raises:
        BadInputError: when the address is none, or holds what must be kept secret.
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
    max_reply_bytes: int = MAX_REPLY_BYTES

    def __post_init__(self) -> None:
        if self.base_url is not None:
            check_address(self.base_url)
        if not _VARIABLE.fullmatch(self.api_key_env):
            # Not repeated: people who misunderstand the option give their key.
            raise BadInputError("--api-key-env takes the name of a variable, never a key itself")

    @property
    def account(self) -> str:
        """What its limits are for: a model at an address, for whoever has the key."""
        return f"{self.base_url or 'vendor'} {self.model} {self.api_key_env}"

    @property
    def deadline_s(self) -> float:
        """Seconds within which one attempt has to come to its end."""
        return self.timeout_s * TRICKLE

    def api_key(self) -> str:
        """The key from the environment.

        Raises:
            BadInputError: when it is missing and the vendor's own address needs one, or when
                no header can carry it.
        """
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.base_url is None:
            raise BadInputError(
                f"the model {self.model} needs a key: set {self.api_key_env}, "
                "or name another server with --base-url"
            )
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise BadInputError(f"the key in {self.api_key_env} holds characters that no key has")
        return key or NO_KEY


def check_address(url: str) -> None:
    """Accept the address of a server.

    Raises:
        BadInputError: when it is none, or holds a name, password or query, which would be kept
            with the run.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known, parts = False, urlsplit("")
    if known and (parts.username or parts.password or parts.query or parts.fragment):
        raise BadInputError(
            "--base-url must hold no name, password or query, since it is kept with the run: "
            "put the key into a variable and name that with --api-key-env"
        )
    if not known:
        raise BadInputError(f"--base-url {url} is no address such as http://127.0.0.1:8080/v1")


def is_loopback(url: str) -> bool:
    """Whether the address is one of this machine's own."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")
