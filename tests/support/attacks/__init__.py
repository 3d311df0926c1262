"""Attacks on a web server, each a function that fails unless the server refuses it."""

from support.attacks import access, archives, input, markup, network  # noqa: F401, A004 - they register
from support.attacks.base import ATTACKS, Attack, World, attacked_settings, make_world

__all__ = ["ATTACKS", "Attack", "World", "attacked_settings", "make_world"]
