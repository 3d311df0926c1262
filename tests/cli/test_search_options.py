"""From the options of a command line to the settings of the search."""

from __future__ import annotations

from dataclasses import fields

import pytest

from apr.cli.model_options import ModelOptions
from apr.cli.search_options import (
    Backup,
    Preset,
    RewardMode,
    Score,
    SearchOptions,
    Widening,
    judge_weight,
)
from apr.core.errors import BadInputError
from apr.repair import search_settings
from apr.search import settings as shapes
from apr.settings import RunSettings, TreeSettings

SERVER = "http://127.0.0.1:9/v1"
"""Of one's own, so that no key is needed; nobody is asked anything."""


def searched(options: ModelOptions, **more: object) -> shapes.SearchSettings:
    return search_settings(RunSettings.model_validate({**options.settings(), **more}))


def test_a_model_gets_the_adaptive_tree_without_a_limit_of_depth() -> None:
    found = searched(ModelOptions(model="m", base_url=SERVER))
    assert found == shapes.ADAPTIVE
    assert (found.widening, found.batch, found.max_depth) == (shapes.Widening.ADAPTIVE, 3, None)


def test_templates_get_the_ranked_tree_three_edits_deep() -> None:
    assert searched(ModelOptions()) == shapes.RANKED
    assert shapes.RANKED.max_depth == 3


def test_aprmcts_is_one_option_with_the_published_values() -> None:
    found = searched(ModelOptions(model="m", base_url=SERVER, preset=Preset.APRMCTS))
    assert found == shapes.APRMCTS
    assert (found.exploration, found.unvisited_bonus) == (0.7, 1.0)
    assert (found.batch, found.branch, found.backpropagation_alpha) == (3, 10, 0.8)
    assert found.max_depth is None
    assert found.stop_at_first_plausible


def test_multimend_judges_one_patch_at_a_time_and_goes_on_from_what_helped() -> None:
    options = ModelOptions(preset=Preset.MULTIMEND)
    assert options.settings()["preset"] == "multimend"
    found = searched(options)
    assert found == shapes.MULTIMEND
    assert (found.widening, found.batch, found.max_depth) == (shapes.Widening.GREEDY, 1, None)


def test_every_option_reaches_the_search() -> None:
    options = ModelOptions(
        model="m",
        base_url=SERVER,
        batch=2,
        branch=6,
        diverse=False,
        widening=Widening.PROGRESSIVE,
        max_children=5,
        score=Score.PUCT,
        exploration=0.3,
        unvisited_bonus=2.0,
        backup=Backup.APRMCTS,
        alpha=0.6,
        widening_k=1.5,
        widening_alpha=0.4,
        agreement=4,
        parallel=8,
        round_share=0.5,
        virtual_loss=0.7,
    )
    found = searched(options, max_depth=7, patches=9)
    assert (found.batch, found.branch, found.diverse, found.max_children) == (2, 6, False, 5)
    assert (found.widening, found.formula) == (shapes.Widening.PROGRESSIVE, shapes.Formula.PUCT)
    assert (found.exploration, found.unvisited_bonus) == (0.3, 2.0)
    assert found.backpropagation is shapes.Backpropagation.APRMCTS
    assert (found.backpropagation_alpha, found.widening_k, found.widening_alpha) == (0.6, 1.5, 0.4)
    assert (found.agreement, found.parallel, found.round_share) == (4, 8, 0.5)
    assert (found.virtual_loss, found.max_depth, found.plausible_wanted) == (0.7, 7, 9)


def test_the_names_of_the_tree_settings_are_those_of_the_search() -> None:
    known = {field.name for field in fields(shapes.SearchSettings)}
    assert set(TreeSettings.model_fields) - known == {"distinct"}
    assert set(SearchOptions().tree()) == set(TreeSettings.model_fields) - {"distinct"}


def test_trial_and_error_is_a_chain_that_starts_anew_after_three_patches() -> None:
    found = searched(ModelOptions(model="m", base_url=SERVER), policy="trial-and-error")
    assert (found.policy, found.batch, found.max_depth) == (shapes.Policy.TRIAL_AND_ERROR, 1, 3)
    longer = searched(
        ModelOptions(model="m", base_url=SERVER, batch=4), policy="trial-and-error", max_depth=6
    )
    assert (longer.batch, longer.max_depth) == (4, 6)


def test_side_by_side_a_model_is_asked_for_one_patch_at_a_node() -> None:
    assert searched(ModelOptions(model="m", base_url=SERVER, parallel=8)).batch == 1
    assert searched(ModelOptions(model="m", base_url=SERVER, parallel=8, batch=3)).batch == 3


@pytest.mark.parametrize(
    ("mode", "weight", "expected", "bounded"),
    [
        (None, None, 0.0, True),
        (None, 0.2, 0.2, True),
        (RewardMode.TESTS, None, 0.0, True),
        (RewardMode.TESTS, 0.0, 0.0, True),
        (RewardMode.JUDGE, None, 1.0, False),
        (RewardMode.AVERAGE, None, 0.5, False),
        (RewardMode.MIXED, None, 0.5, True),
        (RewardMode.MIXED, 0.1, 0.1, True),
    ],
)
def test_reward_modes_are_weights_of_the_judge(
    mode: RewardMode | None, weight: float | None, expected: float, bounded: bool
) -> None:
    assert judge_weight(mode, weight) == expected
    options = ModelOptions(model="m", base_url=SERVER, reward=mode, judge=weight)
    chosen = options.settings()["llm"]
    assert (chosen["judge_weight"], chosen["judge_bounded"]) == (expected, bounded)
    assert searched(options).improvement_margin == pytest.approx(0.2 * expected)


@pytest.mark.parametrize(("mode", "weight"), [(RewardMode.TESTS, 0.5), (RewardMode.JUDGE, 0.5)])
def test_a_mode_that_leaves_no_room_for_a_weight_is_bad_input(
    mode: RewardMode, weight: float
) -> None:
    with pytest.raises(BadInputError, match=f"--reward {mode} leaves no room for --judge 0.5"):
        judge_weight(mode, weight)


def test_a_judge_without_a_model_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="needs a model"):
        ModelOptions(reward=RewardMode.MIXED).settings()


def test_settings_of_an_older_run_are_still_read() -> None:
    old = {"preset": "aprmcts", "parallel": 2, "batch": 3, "max_depth": 3, "patches": 1}
    found = search_settings(RunSettings.model_validate(old))
    assert (found.widening, found.max_depth, found.parallel) == (shapes.Widening.ONCE, 3, 2)
