"""What tokens cost, so that a run's money can be counted and capped."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apr.core.errors import BadInputError
from apr.core.model import TokenUsage

PER = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of the prompt, of its cached part, and of the answer."""

    prompt: float
    completion: float
    cached: float | None = None

    @property
    def parts(self) -> tuple[float, float] | tuple[float, float, float]:
        """What the settings of a model hold."""
        fixed = (self.prompt, self.completion)
        return fixed if self.cached is None else (*fixed, self.cached)

    @property
    def is_sensible(self) -> bool:
        """Finite and not negative."""
        numbers = (self.prompt, self.completion, self.cached or 0.0)
        return all(math.isfinite(number) and number >= 0 for number in numbers)

    def of(self, usage: TokenUsage) -> float:
        """What a reply cost, in US dollars."""
        cached_price = self.prompt if self.cached is None else self.cached
        fresh = usage.prompt - usage.cached
        dollars = fresh * self.prompt + usage.cached * cached_price
        return (dollars + usage.completion * self.completion) / PER


FREE = Price(0.0, 0.0)

LIST_PRICES: Mapping[str, Price] = {
    "gpt-3.5-turbo": Price(0.50, 1.50),
    "gpt-4.1": Price(2.00, 8.00, 0.50),
    "gpt-4.1-mini": Price(0.40, 1.60, 0.10),
    "gpt-4.1-nano": Price(0.10, 0.40, 0.025),
    "gpt-4o": Price(2.50, 10.00, 1.25),
    "gpt-4o-mini": Price(0.15, 0.60, 0.075),
}
"""List prices as their vendors published them; they change, so a user's own table comes first."""


def price_of(model: str, table: Mapping[str, Price]) -> Price | None:
    """The price of the longest name in `table` that `model` starts with; None when unknown."""
    names = [name for name in table if model == name or model.startswith(f"{name}-")]
    return table[max(names, key=len)] if names else None


def parse_price(text: str) -> Price:
    """IN:OUT or IN:OUT:CACHED, in dollars for a million tokens.

    Raises:
        BadInputError: when the text is something else.
    """
    try:
        price = Price(*(float(part) for part in text.split(":")))
    except (TypeError, ValueError):
        raise BadInputError(f"--price {text} is not IN:OUT, such as 0.15:0.6") from None
    if not price.is_sensible:
        raise BadInputError(f"--price {text} is negative or no number")
    return price


def read_prices(path: Path) -> dict[str, Price]:
    """A user's own prices: TOML, one table per model with `prompt`, `completion`, `cached`.

    Raises:
        BadInputError: when the file is missing or says something else.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"cannot read the price table {path}: {error}") from error
    return {model: _read_price(path, model, entry) for model, entry in document.items()}


def _read_price(path: Path, model: str, entry: object) -> Price:
    fields = entry if isinstance(entry, dict) else {}
    try:
        price = Price(**{key: float(value) for key, value in fields.items()})
    except (TypeError, ValueError) as error:
        raise BadInputError(
            f"{path}: the price of {model!r} needs the numbers prompt and completion, "
            "and may have cached"
        ) from error
    if not price.is_sensible:
        raise BadInputError(f"{path}: the price of {model!r} is negative or no number")
    return price
