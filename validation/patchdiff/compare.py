"""Whether two outcomes are the same behaviour: structure exactly, numbers within a tolerance."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from validation.patchdiff.model import Aspect, Outcome, Raised

SILENT = ("timeout", "died")
"""Endings after which nothing else is worth comparing."""


def differences(left: Outcome, right: Outcome, tolerance: float = 1e-9) -> tuple[Aspect, ...]:
    """In what the outcomes differ; numbers agree within the relative `tolerance`."""
    if "unusable" in (left.ended, right.ended):
        return ()
    if left.ended != right.ended:
        return (Aspect.ENDING,)
    if left.ended in SILENT:
        return ()
    pairs = (
        (Aspect.VALUE, left.value, right.value),
        (Aspect.ARGUMENTS, dict(left.arguments), dict(right.arguments)),
        (Aspect.OUTPUT, [left.stdout, left.stderr], [right.stdout, right.stderr]),
        (Aspect.WARNINGS, sorted(left.warnings), sorted(right.warnings)),
        (Aspect.STATE, dict(left.state), dict(right.state)),
        (Aspect.FILES, dict(left.files), dict(right.files)),
    )
    found = [aspect for aspect, ours, theirs in pairs if not agree(ours, theirs, tolerance)]
    return (*_compare_raised(left.raised, right.raised), *found)


def _compare_raised(left: Raised | None, right: Raised | None) -> tuple[Aspect, ...]:
    if left is None or right is None:
        return ()
    if left.type != right.type:
        return (Aspect.EXCEPTION,)
    # What the interpreter words may depend on how the same thing is written.
    is_own = left.is_own and right.is_own
    return (Aspect.MESSAGE,) if is_own and left.message != right.message else ()


def agree(left: Any, right: Any, relative: float = 1e-9, absolute: float = 0.0) -> bool:
    """Structural equality of two descriptions, as `==` has it: 1, 1.0 and True are equal.

    Numbers may differ by the `relative` or the `absolute` tolerance, ints by the latter alone;
    the order of a dict's pairs does not matter.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return bool(left == right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return numbers_agree(left, right, relative, absolute)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(
            agree(a, b, relative, absolute) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        if left.get("t") == "dict" == right.get("t"):
            left, right = _in_order(left), _in_order(right)
        return left.keys() == right.keys() and all(
            agree(item, right[key], relative, absolute) for key, item in left.items()
        )
    return bool(left == right)


def numbers_agree(left: float, right: float, relative: float, absolute: float) -> bool:
    """Whether two numbers are equal within the tolerances; NaN equals itself."""
    if isinstance(left, int) and isinstance(right, int):
        return abs(left - right) <= absolute
    if left == right or (left != left and right != right):
        return True
    try:
        return math.isclose(left, right, rel_tol=relative, abs_tol=max(absolute, relative * 1e-3))
    except OverflowError:
        return False


def without_order(outcome: Outcome) -> Outcome:
    """The outcome with the items of every sequence sorted, for programs that iterate over sets."""
    return replace(
        outcome,
        value=_sorted(outcome.value),
        arguments={key: _sorted(value) for key, value in outcome.arguments.items()},
        state={key: _sorted(value) for key, value in outcome.state.items()},
    )


def _sorted(described: Any) -> Any:
    if isinstance(described, list):
        return sorted(map(_sorted, described), key=json.dumps)
    if isinstance(described, dict):
        return {key: _sorted(item) for key, item in described.items()}
    return described


def _in_order(described: dict[str, Any]) -> dict[str, Any]:
    return {"t": "dict", "v": sorted(described["v"], key=lambda pair: json.dumps(pair[0]))}
