"""Refusing patches that reach for the referee, by their text alone; see docs/adr/0007."""

from validation.integrity.gate import IntegrityGate, IntegritySettings
from validation.integrity.paths import Scope
from validation.integrity.violation import Violation, ViolationKind

__all__ = ["IntegrityGate", "IntegritySettings", "Scope", "Violation", "ViolationKind"]
