"""Imports every family, so that its templates are registered."""

from __future__ import annotations

from apr.generation.template.python import comparisons, operators
from apr.generation.template.python.registry import TEMPLATES

FAMILIES = (comparisons, operators)
ALL = TEMPLATES
