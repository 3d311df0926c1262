"""Official evaluation scripts, taken apart."""

from __future__ import annotations

import pytest

from apr.core.errors import BadInputError
from apr.evaluation.script import GitStep, parse_script
from support.tiny_repository import SCRIPT, TEST_PATCH


def test_only_what_an_environment_does_not_have_is_left_to_do() -> None:
    script = parse_script(SCRIPT, "x")
    assert script.steps == (
        GitStep(("checkout", "BASE", "test_old.py")),
        GitStep(("apply", "-v", "-"), TEST_PATCH + "\n"),
    )
    assert script.setup == ("export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1",)
    assert script.command == "pytest -rA test_shop.py test_old.py"
    assert len(script.activation) == 2


def test_settings_and_builds_are_kept() -> None:
    added = "export LANG=en_US.UTF-8\nmake\nsed -i 's/x/y/' /etc/locale.gen && locale-gen\n"
    script = parse_script(SCRIPT.replace("git status\n", added), "x")
    assert script.setup[1:] == ("export LANG=en_US.UTF-8", "make")


@pytest.mark.parametrize("text", ["", "pytest\n", SCRIPT.replace("End Test", "")])
def test_what_marks_no_output_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="the row of x has no eval_script"):
        parse_script(text, "x")
