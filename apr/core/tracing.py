"""Telling what takes how long: spans of a run, for whoever collects them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Attribute = str | int | float | bool


class Tracing(Protocol):
    """Collects spans. Whatever becomes of them, the run goes on as without."""

    def span(self, name: str, run_id: str, **attributes: Attribute) -> AbstractContextManager[None]:
        """A span around the block; within another one of this thread it is a part of that."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class NoTracing:
    """Implements `Tracing` for nobody."""

    def span(self, name: str, run_id: str, **attributes: Attribute) -> AbstractContextManager[None]:
        """See `Tracing.span`."""
        return nullcontext()

    def close(self) -> None:
        """See `Tracing.close`."""


Span = Callable[[str], AbstractContextManager[None]]
"""Opens a span of the run at hand."""


def no_span(name: str) -> AbstractContextManager[None]:
    """A `Span` for nobody."""
    return nullcontext()
