"""Imports every family, so that its templates are registered."""

from __future__ import annotations

from apr.generation.template.python import (
    assignments,
    calls,
    comparisons,
    conditions,
    constants,
    conversions,
    defaults,
    exceptions,
    guards,
    integers,
    loops,
    operators,
    returns,
    slices,
    statements,
    variables,
)
from apr.generation.template.python.registry import TEMPLATES

FAMILIES = (
    assignments,
    calls,
    comparisons,
    conditions,
    constants,
    conversions,
    defaults,
    exceptions,
    guards,
    integers,
    loops,
    operators,
    returns,
    slices,
    statements,
    variables,
)
ALL = TEMPLATES
