"""Stand-ins for what cannot be described: a call that never looks at one is as good as any."""

from __future__ import annotations

from typing import Any


class HoleTouchedError(BaseException):
    """The call depends on what is not there; no `except Exception` may swallow it."""


class Hole:
    """An object that nobody may ask anything but who it is."""

    touched = ""  # by the call that is being performed: the name of what was missing

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "hole_name", name)


def name_of(hole: Hole) -> str:
    """The class of what was there."""
    return str(object.__getattribute__(hole, "hole_name"))


def _touch(self: Hole, *_: Any, **__: Any) -> Any:
    Hole.touched = name_of(self)
    raise HoleTouchedError(Hole.touched)


_ASKED = """
    getattr setattr delattr call bool len iter next contains getitem setitem delitem repr str
    bytes format int float index enter exit await lt le gt ge add radd sub rsub mul rmul truediv
    rtruediv mod rmod and or xor neg abs reduce reduce_ex
"""
for _name in _ASKED.split():
    setattr(Hole, f"__{_name}__", _touch)
