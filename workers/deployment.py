"""Which queue an installation has."""

from __future__ import annotations

from apr.core.errors import BadInputError
from apr.core.ports import JobQueue
from apr.settings import AppSettings


def make_queue(settings: AppSettings) -> JobQueue:
    """The queue on the configured broker.

    Raises:
        BadInputError: when there is no broker, or the packages of the extra are absent.
    """
    try:
        from workers.app import make_app
        from workers.queue import CeleryQueue
    except ImportError as error:
        raise BadInputError(
            f"a distributed run needs the Python package {error.name}: pip install 'apr[scale]'"
        ) from error
    return CeleryQueue(make_app(settings))
