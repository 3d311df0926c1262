"""Files of predictions that are judged by a run's tests: read as `apr evaluate` reads them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from apr.core.errors import BadInputError
from web.api.evaluations import MOST_PATCHES, read_predictions

RUN = SimpleNamespace(bug=SimpleNamespace(name="stockroom"))
ROW = {"instance_id": "stockroom", "model_name_or_path": "tool", "model_patch": "diff"}


@pytest.mark.parametrize(
    "text",
    [json.dumps([ROW, ROW]), f"{json.dumps(ROW)}\n{json.dumps(ROW)}\n"],
)
def test_all_forms_of_predictions_are_read(text: str) -> None:
    assert [(each.tool, each.patch) for each in read_predictions(text, RUN)] == [
        ("tool", "diff")
    ] * 2
    assert len(read_predictions(json.dumps({"stockroom": {"model_patch": ""}}), RUN)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[1", "predictions cannot be read"),
        ("[" * 100_000, "predictions cannot be read"),
        ("[]", "1 to 50"),
        (json.dumps([ROW] * (MOST_PATCHES + 1)), "1 to 50"),
        (json.dumps([ROW, {**ROW, "instance_id": "other"}]), "line 2 is not about stockroom"),
        (json.dumps([{"instance_id": "stockroom", "model_patch": 3}]), "without instance_id"),
    ],
)
def test_what_cannot_be_judged_is_told_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        read_predictions(text, RUN)
