"""What every store holds its callers to, so that the fake refuses what the database refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from apr.core.errors import BadInputError, LeaseLostError
from apr.core.run import RepairRun

Clock = Callable[[], datetime]

RUN_ID_LENGTH = 64
MAX_LOSSES = 10
"""In a row, without any progress, after which a run takes no further worker down with it."""
HOPELESS = f"its worker was lost {MAX_LOSSES} times and it got no further"
_SEED_LIMIT = 2**63


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def check_new_run(run: RepairRun) -> None:
    """Raises BadInputError when the run's id or seed cannot be stored."""
    if not is_run_id(run.id):
        raise BadInputError(
            f"{run.id!r} is no run id: use 1 to {RUN_ID_LENGTH} printable characters"
        )
    if not -_SEED_LIMIT <= run.seed < _SEED_LIMIT:
        raise BadInputError(f"the seed {run.seed} does not fit into 64 bits")


def is_run_id(text: str) -> bool:
    """Whether a run may be called so, or by something that starts so."""
    return 1 <= len(text) <= RUN_ID_LENGTH and text.isprintable()


def pick_run_id(prefix: str, matches: Iterable[str]) -> str:
    """The one id meant by `prefix` among ids that start so: itself, or the only one.

    Raises:
        BadInputError: when there is none or the choice is open.
    """
    ids = sorted(matches)
    if prefix in ids or len(ids) == 1:
        return prefix if prefix in ids else ids[0]
    if not ids:
        raise no_run(prefix)
    raise BadInputError(f"{prefix} is ambiguous: it may mean {ids[0]} or {ids[1]}")


def no_run(run_id: str) -> BadInputError:
    """The error for an id that no run has."""
    return BadInputError(f"there is no run {run_id!r}: `apr runs` lists them")


def run_exists(run_id: str) -> BadInputError:
    """The error for creating a run twice."""
    return BadInputError(f"there is already a run {run_id}")


def lease_lost(run_id: str, owner: str) -> LeaseLostError:
    """The error for a searcher whose run was taken over."""
    return LeaseLostError(f"run {run_id} no longer belongs to {owner}: another process owns it")
