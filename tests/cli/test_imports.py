"""Importing is cheap: heavy libraries are loaded only by what needs them."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "sqlalchemy",
    "alembic",
    "celery",
    "openai",
    "transformers",
    "torch",
    "fastapi",
    "libcst",
    "docker",
    "pydantic_settings",
    "tree_sitter",
}


def _modules_after(statement: str) -> set[str]:
    program = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_next_to_nothing() -> None:
    added = _modules_after("import apr") - _modules_after("pass")
    assert len({name.partition(".")[0] for name in added}) <= 2
    assert not added & HEAVY


@pytest.mark.parametrize("module", ["apr.core.ports", "apr.cli.main"])
def test_the_core_and_the_help_page_load_no_heavy_library(module: str) -> None:
    assert not _modules_after(f"import {module}") & HEAVY
