"""A store that waits while its database is restarted or its disk is full."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from apr.core.errors import StoreUnavailableError

T = TypeVar("T")
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, *(3.0,) * 40)  # two minutes in all


def patient(store: T, pause: Callable[[float], object] = time.sleep) -> T:
    """The store, whose methods are called again, after `PAUSES_S`, while it is unavailable.

    Every method is one transaction, so that one that failed has left nothing. Only when the
    connection breaks in the moment of a commit is it done twice; all but `append_event` may be.
    """
    return cast("T", _Patient(store, pause))


class _Patient:
    def __init__(self, store: Any, pause: Callable[[float], object]) -> None:
        self._store = store
        self._pause = pause

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        return self._patiently(value) if callable(value) else value

    def fenced(self, owner: str) -> Any:
        """A fenced store is as patient."""
        return _Patient(self._store.fenced(owner), self._pause)

    def _patiently(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            for pause_s in PAUSES_S:
                try:
                    return method(*args, **kwargs)
                except StoreUnavailableError:
                    self._pause(pause_s)
            return method(*args, **kwargs)

        return call
