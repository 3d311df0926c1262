"""Variants of a search in words: `mcts`, `mcts+judge=0.5`, `mcts+no-feedback`, `trial-and-error`.

A variant is a policy, followed by settings that differ from what is asked for otherwise. A
setting is `NAME=VALUE`; `NAME` alone turns one on and `no-NAME` off. Names are those of
`RunSettings`, of its tree and of its language model, with hyphens, and the short ones of `SHORT`.
What decides on verdicts (the sandbox, the limits, the tests) is the same for all variants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from apr.core.errors import BadInputError
from apr.settings import ModelSettings, PolicyName, RunSettings, TreeSettings

SHORT = {
    "judge": "judge_weight",
    "depth": "max_depth",
    "breadth": "batch",
    "search": "preset",
    "score": "tree.formula",
    "backup": "backpropagation",
    "alpha": "backpropagation_alpha",
}
"""As the options of the command line are called."""
SHARED = frozenset(
    (
        *("generator", "repair_model", "llm", "tree", "policy", "locations", "patches"),
        *("sandbox", "image", "memory_mib", "jobs", "repeats", "must_fail", "test_timeout_s"),
        *("suite_timeout_s", "floor_s", "factor", "confirmations", "cache", "reuse_baseline"),
        *("allow_paths", "allow_reaches", "base_url", "api_key_env", "price", "stream"),
    )
)
POLICIES: tuple[str, ...] = get_args(PolicyName)
Value = str | bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a run's settings, or of a part of them: `tree` or `llm`."""

    part: str
    field: str
    annotation: Any

    @property
    def name(self) -> str:
        """What users call it."""
        short = {field: name for name, field in SHORT.items()}
        full = short.get(f"{self.part}.{self.field}") or short.get(self.field)
        return full or self.field.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it is either on or off."""
        return bool in (self.annotation, *get_args(self.annotation))

    @property
    def may_be_none(self) -> bool:
        """Whether `none` is one of its values."""
        return type(None) in get_args(self.annotation)


def _list_settings() -> dict[str, Setting]:
    """Every setting that a variant may change, by name."""
    parts: tuple[tuple[str, type[BaseModel]], ...] = (
        ("", RunSettings),
        ("tree", TreeSettings),
        ("llm", ModelSettings),
    )
    found = [
        Setting(part, field, info.annotation)
        for part, model in parts
        for field, info in model.model_fields.items()
        if field not in SHARED
    ]
    return {setting.name: setting for setting in found}


SETTINGS = _list_settings()


@dataclass(frozen=True, slots=True)
class Variant:
    """A policy with settings of its own; `name` is what was typed."""

    name: str
    policy: str
    changes: tuple[tuple[Setting, Value], ...] = ()

    def settings(self, base: RunSettings) -> RunSettings:
        """The base's settings with this variant's.

        Raises:
            BadInputError: when a value is out of range, or a model's setting meets no model.
        """
        values = base.model_dump()
        values["policy"] = self.policy
        for setting, value in self.changes:
            part = values[setting.part] if setting.part else values
            if part is None:
                raise BadInputError(
                    f"variant {self.name}: {setting.name} needs a language model (--model)"
                )
            part[setting.field] = value
        try:
            return RunSettings.model_validate(values)
        except ValidationError as error:
            raise BadInputError(f"variant {self.name}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    """Which setting is wrong, and why, by the first thing that is."""
    first = error.errors()[0]
    fields = [str(part) for part in first["loc"] if str(part) in _FIELDS]
    name = _FIELDS[fields[-1]] if fields else str(first["loc"][-1])
    return f"{name}: {first['msg']}"


_FIELDS = {setting.field: setting.name for setting in SETTINGS.values()}


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
    _refuse_twice(text, [setting for setting, _ in changes])
    return Variant(text, policy, changes)


def _refuse_twice(variant: str, changed: Sequence[Setting]) -> None:
    for setting in changed:
        if changed.count(setting) > 1:
            raise BadInputError(f"variant {variant} sets {setting.name} twice")


def _parse_change(variant: str, part: str) -> tuple[Setting, Value]:
    name, is_set, value = part.partition("=")
    if not is_set and name not in SETTINGS and name.startswith("no-"):
        setting = _find(variant, name.removeprefix("no-"))
        return setting, _off(variant, setting)
    setting = _find(variant, name)
    if is_set:
        return setting, None if value == "none" and setting.may_be_none else value
    if not setting.is_switch:
        raise BadInputError(f"variant {variant}: {name} needs a value, as in {name}=VALUE")
    return setting, True


def _off(variant: str, setting: Setting) -> Value:
    """The value that leaves a thing out: False for a switch, 0 for a weight."""
    if setting.is_switch:
        return False
    if setting.field.endswith("_weight"):
        return "0"
    raise BadInputError(f"variant {variant}: {setting.name} cannot be turned off: give a value")


def _find(variant: str, name: str) -> Setting:
    setting = SETTINGS.get(name) or SETTINGS.get(name.replace("_", "-"))
    if setting is None:
        known = ", ".join(sorted(SETTINGS))
        raise BadInputError(
            f"variant {variant} has the unknown setting {name!r}: there are {known}"
        )
    return setting
