"""The options that make exceptions from the integrity gate."""

from __future__ import annotations

import pytest

from apr.cli.request import make_settings
from apr.core.errors import BadInputError


def test_exceptions_become_settings():
    settings = make_settings(allow_paths=("docs",), allow_reaches=("network",))
    assert settings.allow_paths == ("docs",)
    assert settings.allow_reaches == ("network",)


def test_an_unknown_kind_is_refused_before_anything_runs():
    with pytest.raises(BadInputError, match="'networks' is no reach that can be allowed"):
        make_settings(allow_reaches=("networks",))
