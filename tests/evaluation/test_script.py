"""Official evaluation scripts, taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from apr.evaluation.application import apply_patch
from apr.evaluation.script import GitStep, parse_script
from support.tiny_repository import SCRIPT, TEST_PATCH, make_repository


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


def test_a_new_test_file_takes_the_place_of_one_that_the_patch_brought(tmp_path: Path) -> None:
    row = make_repository(tmp_path)
    script = parse_script(
        SCRIPT.replace("git checkout BASE test_old.py", "rm -f test_shop.py"), "x"
    )
    assert not any("rm" in line.split() for line in script.setup)
    assert [step.arguments[0] for step in script.steps] == ["rm", "clean", "apply"]
    brought = TEST_PATCH.replace("== 4", "== 44").rstrip("\n") + "\n"
    applied = apply_patch(
        tmp_path / "tiny__shop" / ".git", row["base_commit"], brought, script.steps
    )
    assert applied.is_applied
    (file,) = applied.files.values()
    assert file is not None
    assert b"== 4\n" in file.data
