"""A policy refuses values that no sandbox could obey."""

from __future__ import annotations

from typing import Any

import pytest

from validation.sandbox.policy import SandboxPolicy


@pytest.mark.parametrize(
    "values",
    [
        {"memory_mib": 0},
        {"pids": -1},
        {"readable_paths": ("relative",)},
        {"readable_paths": ("/",)},
        {"mount_at": "workspace"},
    ],
)
def test_impossible_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least 1|no absolute path"):
        SandboxPolicy(**values)


def test_network_is_never_granted() -> None:
    assert SandboxPolicy().network is False
