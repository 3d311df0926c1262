"""Variants of a search in words: `mcts`, `mcts+judge=0.5`, `mcts+no-feedback`, `trial-and-error`.

A variant is a policy, followed by settings that differ from what is asked for otherwise. A
setting is `NAME=VALUE`; `NAME` alone turns one on and `no-NAME` off. Names are those of
`RunSettings` and, for a language model, of `ModelSettings`, with hyphens, and the short ones of
`SHORT`. What decides on verdicts (the sandbox, the limits, the tests) is the same for all variants.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from apr.core.errors import BadInputError
from apr.settings import ModelSettings, PolicyName, RunSettings

SHORT = {"judge": "judge_weight", "depth": "max_depth", "breadth": "batch", "search": "preset"}
SEARCH = frozenset(RunSettings.model_fields) - {
    *("generator", "llm", "policy", "locations", "patches"),
    *("sandbox", "image", "memory_mib", "jobs", "repeats", "test_timeout_s", "suite_timeout_s"),
    *("floor_s", "factor", "confirmations", "cache", "reuse_baseline"),
    *("allow_paths", "allow_reaches"),
}
MODEL = frozenset(ModelSettings.model_fields) - {"base_url", "api_key_env", "price", "stream"}
POLICIES: tuple[str, ...] = get_args(PolicyName)


@dataclass(frozen=True, slots=True)
class Variant:
    """A policy with settings of its own, by field name; `name` is what was typed."""

    name: str
    policy: str
    changes: tuple[tuple[str, str | bool | None], ...] = ()

    def settings(self, base: RunSettings) -> RunSettings:
        """The base's settings with this variant's.

        Raises:
            BadInputError: when a value is out of range, or a model's setting meets no model.
        """
        values = base.model_dump()
        values["policy"] = self.policy
        for field, value in self.changes:
            if field in SEARCH:
                values[field] = value
            elif base.llm is None:
                raise BadInputError(
                    f"variant {self.name}: {_spelled(field)} needs a language model (--model)"
                )
            else:
                values["llm"][field] = value
        try:
            return RunSettings.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = _spelled(str(first["loc"][-1]))
            raise BadInputError(f"variant {self.name}: {field}: {first['msg']}") from error


def parse_variants(text: str) -> tuple[Variant, ...]:
    """The variants of a list separated by commas.

    Raises:
        BadInputError: when one makes no sense, or two have one name.
    """
    variants = tuple(_parse(part.strip()) for part in text.split(","))
    names = [variant.name for variant in variants]
    for name in names:
        if names.count(name) > 1:
            raise BadInputError(f"variant {name} was named twice")
    return variants


def _parse(text: str) -> Variant:
    policy, *parts = text.split("+")
    if policy not in POLICIES:
        raise BadInputError(
            f"variant {text!r} begins with no policy: there are {', '.join(POLICIES)}"
        )
    changes = tuple(_parse_change(text, part) for part in parts)
    for field, _ in changes:
        if sum(other == field for other, _ in changes) > 1:
            raise BadInputError(f"variant {text} sets {_spelled(field)} twice")
    return Variant(text, policy, changes)


def _parse_change(variant: str, part: str) -> tuple[str, str | bool | None]:
    name, is_set, value = part.partition("=")
    if is_set:
        field = _field(variant, name)
        return field, None if value == "none" and _may_be_none(field) else value
    if _find(name) is None and name.startswith("no-"):
        field = _field(variant, name.removeprefix("no-"))
        return field, _off(variant, field)
    field = _field(variant, name)
    if not _is_switch(field):
        raise BadInputError(f"variant {variant}: {name} needs a value, as in {name}=VALUE")
    return field, True


def _off(variant: str, field: str) -> str | bool:
    """The value that leaves a thing out: False for a switch, 0 for a weight."""
    if _is_switch(field):
        return False
    if field.endswith("_weight"):
        return "0"
    raise BadInputError(f"variant {variant}: {_spelled(field)} cannot be turned off: give a value")


def _field(variant: str, name: str) -> str:
    field = _find(name)
    if field is None:
        known = sorted({_spelled(field) for field in SEARCH | MODEL})
        raise BadInputError(
            f"variant {variant} has the unknown setting {name!r}: there are {', '.join(known)}"
        )
    return field


def _find(name: str) -> str | None:
    field = SHORT.get(name, name.replace("-", "_"))
    return field if field in SEARCH or field in MODEL else None


def _spelled(field: str) -> str:
    short = {field: name for name, field in SHORT.items()}
    return short.get(field, field.replace("_", "-"))


def _annotation(field: str) -> Any:
    owner: type[BaseModel] = RunSettings if field in SEARCH else ModelSettings
    return owner.model_fields[field].annotation


def _is_switch(field: str) -> bool:
    return _annotation(field) is bool


def _may_be_none(field: str) -> bool:
    kind = _annotation(field)
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)
