"""Text that came from a program under repair, made fit for JSON: it may be no Unicode at all."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator


def clean(value: Any) -> Any:
    """The value with every lone surrogate, which no UTF-8 can hold, replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean(key): clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    return value


Text = Annotated[str, BeforeValidator(clean)]
Cleaned = BeforeValidator(clean)
