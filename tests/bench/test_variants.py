"""What a variant may be, and what it does to the settings."""

from __future__ import annotations

import pytest

from apr.bench.variants import SETTINGS, SHARED, parse_variants
from apr.core.errors import BadInputError
from apr.settings import ModelSettings, RunSettings

TEMPLATES = RunSettings()
MODELLED = RunSettings(
    generator="llm", preset="aprmcts", llm=ModelSettings(model="m", judge_weight=0.3)
)


def settings_of(text: str, base: RunSettings = MODELLED) -> RunSettings:
    (variant,) = parse_variants(text)
    return variant.settings(base)


@pytest.mark.parametrize("policy", ["mcts", "enumerate", "breadth-first", "trial-and-error"])
def test_a_policy_alone_changes_nothing_else(policy: str) -> None:
    changed = {"policy": policy}
    assert settings_of(policy, TEMPLATES) == TEMPLATES.model_copy(update=changed)


def test_every_ablation_is_one_word() -> None:
    assert settings_of("trial-and-error").policy == "trial-and-error"
    ablated = settings_of("mcts+no-judge+no-feedback+no-reasoning").llm
    assert ablated is not None
    assert (ablated.judge_weight, ablated.feedback, ablated.reasoning) == (0.0, False, False)
    assert settings_of("mcts+depth=1").max_depth == 1
    assert settings_of("mcts+breadth=2").batch == 2
    assert settings_of("mcts+parallel=4").parallel == 4


def test_values_are_read_as_their_fields_want_them() -> None:
    chosen = settings_of("mcts+judge=0.5+temperature=0+feedback+depth=none+search=ranked")
    assert chosen.llm is not None
    assert (chosen.llm.judge_weight, chosen.llm.temperature, chosen.llm.feedback) == (0.5, 0, True)
    assert (chosen.max_depth, chosen.preset) == (None, "ranked")
    another = settings_of("mcts+model=Qwen/Qwen2.5-Coder").llm
    assert another is not None
    assert another.model == "Qwen/Qwen2.5-Coder"


def test_variants_stand_in_the_order_typed() -> None:
    names = [variant.name for variant in parse_variants("mcts, enumerate ,mcts+depth=1")]
    assert names == ["mcts", "enumerate", "mcts+depth=1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with no policy"),
        ("mtcs", "begins with no policy: there are mcts, enumerate"),
        ("judge=0.5", "begins with no policy"),
        ("mcts,mcts", "named twice"),
        ("mcts+", "unknown setting ''"),
        ("mcts+colour=red", "unknown setting 'colour': there are .*depth.*judge"),
        ("mcts+no-colour", "unknown setting 'colour'"),
        ("mcts+judge", "judge needs a value, as in judge=VALUE"),
        ("mcts+no-depth", "depth cannot be turned off"),
        ("mcts+judge=0.1+no-judge", "sets judge twice"),
        ("mcts+sandbox=process", "unknown setting 'sandbox'"),
        ("mcts+api-key-env=HOME", "unknown setting 'api-key-env'"),
    ],
)
def test_what_is_no_variant_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as refused:
        parse_variants(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mcts+judge=2", "mcts\\+judge=2: judge: Input should be less than or equal to 1"),
        ("mcts+depth=0", "depth: Input should be greater"),
        ("mcts+depth=deep", "depth: Input should be a valid integer"),
        ("mcts+search=wide", "search: Input should be"),
    ],
)
def test_values_out_of_range_are_refused(text: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        settings_of(text)


def test_a_models_setting_needs_a_model() -> None:
    with pytest.raises(BadInputError, match="judge needs a language model"):
        settings_of("mcts+judge=0.5", TEMPLATES)


def test_the_trees_own_settings_can_be_varied() -> None:
    chosen = settings_of("mcts+widening=progressive+score=puct+exploration=1.2+no-diverse+alpha=0")
    tree = chosen.tree
    assert (tree.widening, tree.formula, tree.exploration) == ("progressive", "puct", 1.2)
    assert (tree.diverse, tree.backpropagation_alpha) == (False, 0.0)
    assert settings_of("mcts+formula=dstar").formula == "dstar"


def test_no_variant_can_change_what_decides_on_verdicts() -> None:
    shared = {"sandbox", "confirmations", "test_timeout_s", "repeats", "allow_paths", "factor"}
    assert shared <= SHARED
    assert not {setting.field for setting in SETTINGS.values()} & SHARED
