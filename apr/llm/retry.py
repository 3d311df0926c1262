"""When a failed call is tried again, and how long to wait before it."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

RETRIED_STATUS = frozenset({408, 409, 425, 429})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` calls in all; waits double from `first_s` up to `longest_s`, with full jitter.

    A server's own Retry-After counts instead, as long as it is no longer than `patience_s`.
    """

    attempts: int = 6
    first_s: float = 0.5
    longest_s: float = 30.0
    patience_s: float = 120.0

    def wait_s(self, attempt: int, asked_s: float | None, rng: random.Random) -> float | None:
        """Seconds before the call after the `attempt`-th (1-based); None: give up."""
        if attempt >= self.attempts:
            return None
        if asked_s is not None:
            # A little more than asked: many clients that come back at one moment are turned away.
            return None if asked_s > self.patience_s else asked_s * (1 + 0.1 * rng.random())
        return rng.uniform(0, min(self.longest_s, self.first_s * 2 ** (attempt - 1)))


def is_retried(status: int) -> bool:
    """Whether an HTTP status may be gone the next time."""
    return status in RETRIED_STATUS or status >= 500


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: Retry-After (seconds or a date), or Retry-After-Ms."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
