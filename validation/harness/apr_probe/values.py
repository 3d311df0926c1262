"""Values as JSON descriptions, from which a process of the same subject can build them again.

None, booleans, ints, floats, texts and lists stand for themselves. All else is a dict whose "t" is

    tuple, set, frozenset, iterator   "v": the items
    dict                              "v": pairs of key and value
    bytes, bytearray, int             "v": in hexadecimal (ints only when they are long)
    global                            what a module holds: "m" its name, "q" the qualified name
    module                            "v": its name
    enum                              "m", "q" as for its class, "v": the member's name
    made                              "f": what to call, "a": with what; then "s": its state,
                                      "l": items to append, "d": pairs to set (as in pickle)
    shared, ref                       "n": a number, "v": a value that "ref" means again
    hole                              "v": the class of what cannot be described, which must not
                                      be looked at
    opaque                            "v": its class, "r": how it shows itself; cannot be built
"""

from __future__ import annotations

import enum
import importlib
import itertools
import re
import sys
import types
from typing import Any

from apr_probe.holes import Hole, name_of

MAX_NODES = 4000
MAX_TEXT = 50_000
MAX_ITEMS = 500
TOO_LARGE = "too large"
LONG_BITS = 1000
_PLAIN = (bool, int, float, str, type(None))
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{5,}\b")


class NotDescribableError(Exception):
    """A value cannot be rebuilt from any description of ours."""


def normalise(text: str) -> str:
    """The text without memory addresses, which differ from process to process."""
    return _ADDRESS.sub("0x...", text[:MAX_TEXT])


def describe(
    value: Any,
    lenient: bool = False,
    nodes: int = MAX_NODES,
    names: Names | None = None,
    holes: bool = False,
) -> Any:
    """The description of a value; when `lenient`, what cannot be rebuilt becomes opaque.

    It has at most as many `nodes`; what goes beyond counts as what cannot be rebuilt. Objects
    that have one of the `names` are described by it. With `holes`, a part that cannot be rebuilt
    becomes one, unless the whole is too large.

    Raises:
        NotDescribableError: when it cannot be rebuilt or is too large, and not `lenient`.
    """
    describer = _Describer(lenient, nodes, names, holes)
    try:
        return _unwrap(describer.describe(value), describer.repeated)
    except RecursionError:
        if not lenient:
            raise NotDescribableError("nested too deeply") from None
        return {"t": "opaque", "v": type_name(type(value)), "r": "nested too deeply"}


def type_name(kind: type) -> str:
    """Module and qualified name, builtins without their module."""
    module = getattr(kind, "__module__", "")
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


class Names:
    """Where modules hold objects that are neither classes nor functions, by identity."""

    def __init__(self) -> None:
        self._modules = 0
        self._places: dict[int, tuple[str, str]] = {}

    def find(self, value: Any) -> Any:
        """The description of the object by its name; None when no module holds it."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._read()
        place = self._places.get(id(value))
        if place is None or getattr(sys.modules.get(place[0]), place[1], None) is not value:
            return None
        return {"t": "global", "m": place[0], "q": place[1]}

    def _read(self) -> None:
        # The module with the shortest name is the one from which others have it, by custom.
        for name in sorted(sys.modules, key=lambda each: (-len(each), each)):
            if name == "__main__" or name.startswith("apr_"):
                continue
            for key, value in list(getattr(sys.modules[name], "__dict__", {}).items()):
                kind = type(value)  # isinstance would ask the value, which may be anything
                if hasattr(kind, "__dict__") and not issubclass(kind, type):
                    self._places[id(value)] = name, key


class _Describer:
    def __init__(
        self, lenient: bool, nodes: int, names: Names | None = None, holes: bool = False
    ) -> None:
        self._names = names
        self._holes = holes
        self.lenient = lenient
        self._limit = nodes
        self.repeated: set[int] = set()
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # so that no identity is used twice
        self._nodes = 0

    def describe(self, value: Any) -> Any:
        self._nodes += 1
        if self._nodes > self._limit:
            return self._give_up(value, TOO_LARGE)
        kind = type(value)
        if kind in _PLAIN:
            return self._plain(value)
        if kind is Hole:
            return {"t": "hole", "v": name_of(value)}
        if kind in (bytes, bytearray):
            if len(value) > MAX_TEXT:
                return self._give_up(value, TOO_LARGE)
            return {"t": kind.__name__, "v": bytes(value).hex()}
        if kind in (tuple, frozenset):
            return self._items(kind, value)
        if id(value) in self._numbers:
            number = self._numbers[id(value)]
            self.repeated.add(number)
            return {"t": "ref", "n": number}
        reference = _reference(value)
        if reference is not None:
            return reference
        return self._mutable(kind, value)

    def _plain(self, value: Any) -> Any:
        if type(value) is str and len(value) > MAX_TEXT:
            return self._give_up(value, TOO_LARGE)
        if type(value) is int and value.bit_length() > LONG_BITS:
            return {"t": "int", "v": hex(value)}
        return value

    def _items(self, kind: type, items: Any) -> Any:
        described = [self.describe(item) for item in items]
        if kind in (set, frozenset):
            described.sort(key=repr)
        return {"t": kind.__name__, "v": described}

    def _mutable(self, kind: type, value: Any) -> Any:
        number = self._numbers[id(value)] = len(self._alive)
        self._alive.append(value)
        if kind is list:
            described: Any = [self.describe(item) for item in value]
        elif kind is dict:
            pairs = [[self.describe(key), self.describe(item)] for key, item in value.items()]
            described = {"t": "dict", "v": pairs}
        elif kind is set:
            described = self._items(kind, value)
        elif self.lenient and isinstance(value, types.GeneratorType):
            items = itertools.islice(value, MAX_ITEMS)
            described = {"t": "iterator", "v": [self.describe(item) for item in items]}
        else:
            described = self._object(value)
        if self.lenient:
            # What is only looked at is compared by its content: aliases are no difference.
            del self._numbers[id(value)]
        return {"t": "shared", "n": number, "v": described}

    def _object(self, value: Any) -> Any:
        named = self._names.find(value) if self._names is not None else None
        if named is not None:
            return named
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            return self._give_up(value, str(error))
        if not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 5:
            return self._give_up(value, "reduced to a name")
        make, arguments, state, items, pairs = (*reduced, *[None] * (5 - len(reduced)))
        described = {"t": "made", "f": self._required(make)}
        described["a"] = [self.describe(argument) for argument in arguments]
        if state is not None:
            described["s"] = self.describe(state)
        if items is not None:
            described["l"] = [self.describe(item) for item in items]
        if pairs is not None:
            described["d"] = [[self.describe(key), self.describe(item)] for key, item in pairs]
        return described

    def _required(self, make: Any) -> Any:
        reference = _reference(make)
        return self._give_up(make, "no global name") if reference is None else reference

    def _give_up(self, value: Any, why: str) -> Any:
        if self._holes and why != TOO_LARGE:
            return {"t": "hole", "v": type_name(type(value))}
        if not self.lenient:
            raise NotDescribableError(f"{type_name(type(value))}: {why}")
        return {"t": "opaque", "v": type_name(type(value)), "r": _show(value)}


def _show(value: Any) -> str:
    try:
        return normalise(repr(value))[:500]
    except Exception as error:
        return f"repr raises {type(error).__name__}"


def _reference(value: Any) -> Any:
    """The description of what a module holds under its own name; None for everything else."""
    if isinstance(value, types.ModuleType):
        return {"t": "module", "v": value.__name__}
    if isinstance(value, enum.Enum):
        kind = _reference(type(value))
        return kind and {"t": "enum", "m": kind["m"], "q": kind["q"], "v": value._name_}
    if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return None
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    try:
        found: Any = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part)
    except (KeyError, AttributeError, TypeError):
        return None
    return {"t": "global", "m": module, "q": name} if found is value else None


def _unwrap(described: Any, repeated: set[int]) -> Any:
    """Without the numbers of what occurs only once."""
    if isinstance(described, list):
        return [_unwrap(item, repeated) for item in described]
    if not isinstance(described, dict):
        return described
    if described["t"] == "shared" and described["n"] not in repeated:
        return _unwrap(described["v"], repeated)
    return {key: _unwrap(item, repeated) for key, item in described.items()}


def rebuild(described: Any, shared: dict[int, Any]) -> Any:
    """The value that a description means; `shared` holds what was numbered so far.

    Raises:
        NotDescribableError: when it cannot be built, whatever the reason.
    """
    try:
        return _rebuild(described, shared)
    except NotDescribableError:
        raise
    except Exception as error:
        raise NotDescribableError(f"{type(error).__name__}: {error}") from error


def _rebuild(described: Any, shared: dict[int, Any], number: int | None = None) -> Any:
    if isinstance(described, list):
        return _filled([], described, shared, number)
    if not isinstance(described, dict):
        return described
    kind = described["t"]
    if kind == "shared":
        return _rebuild(described["v"], shared, described["n"])
    if kind == "ref":
        return shared[described["n"]]
    maker = _MAKERS.get(kind)
    if maker is None:
        raise NotDescribableError(f"{described.get('v')} cannot be built")
    return maker(described, shared, number)


def _filled(made: list[Any], items: Any, shared: dict[int, Any], number: int | None) -> Any:
    _remember(made, shared, number)
    made.extend(_rebuild(item, shared) for item in items)
    return made


def _remember(made: Any, shared: dict[int, Any], number: int | None) -> None:
    if number is not None:
        shared[number] = made


def _make_items(described: Any, shared: dict[int, Any], number: int | None) -> Any:
    kind = {"tuple": tuple, "set": set, "frozenset": frozenset, "iterator": iter}[described["t"]]
    made = kind([_rebuild(item, shared) for item in described["v"]])
    _remember(made, shared, number)
    return made


def _make_dict(described: Any, shared: dict[int, Any], number: int | None) -> Any:
    made: dict[Any, Any] = {}
    _remember(made, shared, number)
    for key, item in described["v"]:
        made[_rebuild(key, shared)] = _rebuild(item, shared)
    return made


def _make_bytes(described: Any, shared: dict[int, Any], number: int | None) -> Any:
    made = bytes.fromhex(described["v"])
    kept = bytearray(made) if described["t"] == "bytearray" else made
    _remember(kept, shared, number)
    return kept


def _make_hole(described: Any, shared: dict[int, Any], number: int | None) -> Any:
    made = Hole(described["v"])
    _remember(made, shared, number)
    return made


def find_global(module: str, name: str) -> Any:
    """What `module` holds under a qualified name."""
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _make_object(described: Any, shared: dict[int, Any], number: int | None) -> Any:
    make = _rebuild(described["f"], shared)
    made = make(*[_rebuild(argument, shared) for argument in described["a"]])
    _remember(made, shared, number)
    if "s" in described:
        _set_state(made, _rebuild(described["s"], shared))
    for item in described.get("l", ()):
        made.append(_rebuild(item, shared))
    for key, item in described.get("d", ()):
        made[_rebuild(key, shared)] = _rebuild(item, shared)
    return made


def _set_state(made: Any, state: Any) -> None:
    if hasattr(type(made), "__setstate__"):
        made.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        made.__dict__.update(state)
    for name, value in (slots or {}).items():
        object.__setattr__(made, name, value)


_MAKERS: dict[str, Any] = {
    **dict.fromkeys(("tuple", "set", "frozenset", "iterator"), _make_items),
    **dict.fromkeys(("bytes", "bytearray"), _make_bytes),
    "dict": _make_dict,
    "hole": _make_hole,
    "int": lambda described, shared, number: int(described["v"], 16),
    "global": lambda described, shared, number: find_global(described["m"], described["q"]),
    "module": lambda described, shared, number: importlib.import_module(described["v"]),
    "enum": lambda d, shared, number: find_global(d["m"], d["q"])[d["v"]],
    "made": _make_object,
}
