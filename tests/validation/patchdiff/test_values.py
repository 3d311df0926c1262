"""Values described in one process, read as data on the host, and built again elsewhere."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import importlib
import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from validation.patchdiff.values import Opaque, describe_value, is_description, parse_value
from validation.runners.session import HARNESS_ROOT


class Colour(enum.Enum):
    RED = 1


class Account:
    def __init__(self, owner: str, balance: int) -> None:
        self.owner = owner
        self.balance = balance

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class Slotted:
    __slots__ = ("a", "b")


@pytest.fixture(scope="module")
def values() -> Iterator[ModuleType]:
    """The probe's module, as it runs in a sandbox."""
    sys.path.insert(0, str(HARNESS_ROOT))
    try:
        yield importlib.import_module("apr_probe.values")
    finally:
        sys.path.remove(str(HARNESS_ROOT))


def there_and_back(values: ModuleType, value: Any) -> Any:
    """Described, sent as JSON, parsed and described by the host, and built."""
    sent = json.loads(json.dumps(values.describe(value)))
    returned = json.loads(json.dumps(describe_value(parse_value(sent))))
    return values.rebuild(returned, {})


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, -2.5, float("inf"), 10**400, "é\ud800", b"\x00a", bytearray(b"x"),
        [1, [2, "a"]], (1,), (), {1, 2}, frozenset({"a"}), {"a": [1], (1, 2): None},
        {1.5: {2: 3}}, 1 + 2j, range(3), slice(1, 2), Colour.RED, Account, len, json,
        datetime.datetime(2026, 1, 2, 3), decimal.Decimal("1.50"), Account("x", 3),
        collections.OrderedDict(b=1, a=2), collections.deque([1, 2], 3),
        collections.defaultdict(list, {"a": [1]}), collections.Counter("aab"),
    ],
    ids=lambda value: type(value).__name__ + repr(value)[:12],
)  # fmt: skip
def test_a_value_survives_the_way(values, value):
    made = there_and_back(values, value)
    assert type(made) is type(value)
    assert made == value


def test_attributes_in_slots_survive(values):
    value = Slotted()
    value.a, value.b = 1, [2]
    made = there_and_back(values, value)
    assert (made.a, made.b) == (1, [2])


def test_what_is_shared_stays_shared_and_cycles_close(values):
    inner = [1]
    made = there_and_back(values, [inner, inner])
    assert made[0] is made[1]
    inner.append(inner)
    cycle = there_and_back(values, inner)
    assert cycle[1] is cycle


def test_aliases_are_no_part_of_what_is_only_looked_at(values):
    inner = [1]
    assert values.describe([inner, inner], True) == values.describe([[1], [1]], True)


@pytest.mark.parametrize(
    "value", [lambda: 1, (i for i in ()), sys.stdout, [[0] * 100] * 100], ids=type
)
def test_what_cannot_be_built_again_is_refused(values, value):
    deep = [list(row) for row in value] if isinstance(value, list) else value
    with pytest.raises(values.NotDescribableError):
        values.describe(deep)


def test_opaque_values_show_themselves_without_addresses(values):
    seen = values.describe(object, True), values.describe(lambda: 1, True)
    assert seen[0] == {"t": "global", "m": "builtins", "q": "object"}
    assert seen[1]["t"] == "opaque"
    assert "0x..." in seen[1]["r"]


def test_an_endless_generator_is_read_in_part(values):
    def endless() -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    seen = values.describe(endless(), True)
    assert seen["t"] == "iterator"
    assert seen["v"][:3] == [0, 1, 2]


def test_objects_stay_opaque_on_the_host():
    described = {"t": "made", "f": {"t": "global", "m": "m", "q": "C"}, "a": []}
    parsed = parse_value([1, described])
    assert parsed == [1, Opaque(json.dumps(described))]
    assert describe_value(parsed) == [1, described]


def test_pairs_that_would_fall_together_are_not_merged():
    described = {"t": "dict", "v": [[1, "a"], [True, "b"]]}
    assert describe_value(parse_value(described)) == described


def nested(depth: int) -> Any:
    described: Any = []
    for _ in range(depth):
        described = [described]
    return described


def test_deep_values_are_handed_back_as_they_came():
    assert isinstance(parse_value(nested(100)), Opaque)
    assert describe_value(parse_value(nested(100))) == nested(100)
    assert is_description(nested(100))


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"t": "tuple"},
        {"t": "tuple", "v": 3},
        {"t": "dict", "v": [[1, 2, 3]]},
        {"t": "bytes", "v": "no"},
        {"t": "int", "v": 3},
        {"t": "global", "m": "os"},
        {"t": "made", "f": {"t": "global", "m": "os", "q": "x"}},
        {"t": "made", "f": 1, "a": [], "d": [1]},
        {"t": "shared", "v": 1},
        {"t": "unheard of", "v": [{"t": ["list"]}]},
        [1, {"t": "opaque", "v": "x"}],
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_malformed_is_told_from_a_description(described):
    assert not is_description(described)


def test_nesting_without_end_is_no_description():
    assert not is_description(nested(5000))


MODULE_HELD = Account("module", 1)


def test_what_is_too_large_or_odd_is_known_by_the_name_under_which_a_module_holds_it(values):
    Account.__reduce_ex__, kept = None, Account.__reduce_ex__  # nothing can be read of it
    try:
        with pytest.raises(values.NotDescribableError):
            values.describe([MODULE_HELD])
        described = values.describe([MODULE_HELD], names=values.Names())
    finally:
        Account.__reduce_ex__ = kept
    assert described == [{"t": "global", "m": __name__, "q": "MODULE_HELD"}]
    assert values.rebuild(described, {})[0] is MODULE_HELD


def test_what_modules_hold_is_not_asked_for_its_class(values, monkeypatch):
    class Touchy:
        @property
        def __class__(self):
            raise AssertionError("touched")

    module = ModuleType("a_module_with_a_touchy_object")
    module.held = Touchy()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found = values.Names().find(module.held)
    assert found == {"t": "global", "m": module.__name__, "q": "held"}


def test_a_hole_stands_for_what_cannot_be_described_until_somebody_looks(values):
    holes = importlib.import_module("apr_probe.holes")
    described = values.describe([1, lambda: 1], holes=True)
    assert is_description(described)
    assert described == [1, {"t": "hole", "v": "function"}]
    hole = values.rebuild(described, {})[1]
    assert values.describe(hole, True) == described[1]
    assert holes.Hole.touched == ""
    for look in (bool, len, repr, lambda each: each.name, lambda each: each()):
        holes.Hole.touched = ""
        with pytest.raises(holes.HoleTouchedError):
            look(hole)
        assert holes.Hole.touched == "function"
    holes.Hole.touched = ""


def test_too_many_parts_are_no_hole(values):
    with pytest.raises(values.NotDescribableError):
        values.describe([[0] * 100 for _ in range(100)], holes=True)
