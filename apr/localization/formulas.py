"""How suspicious a statement is, given how many failing and passing tests execute it.

Notation of Naish, Lee and Ramamohanarao, "A model for spectra-based software diagnosis", TOSEM
20(3), 2011: e(xecuted) or n(ot executed) by f(ailing) or p(assing) tests. Every formula is pure
and maps to [0, 1]; a formula of another range is mapped by a strictly increasing function, so that
rankings are those of its paper. A quotient 0/0 is 0 unless its docstring says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apr.core.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Counts of tests, all >= 0, for one program element."""

    ef: int
    ep: int
    nf: int
    np: int

    def __post_init__(self) -> None:
        if min(self.ef, self.ep, self.nf, self.np) < 0:
            raise ValueError(f"a spectrum counts tests, so {self} cannot hold a negative number")

    @property
    def failing(self) -> int:
        """All failing tests."""
        return self.ef + self.nf

    @property
    def passing(self) -> int:
        """All passing tests."""
        return self.ep + self.np

    @property
    def total(self) -> int:
        """All tests."""
        return self.failing + self.passing


Formula = Callable[[Spectrum], float]
"""A spectrum to a suspiciousness in [0, 1]."""


def _ratio(numerator: float, denominator: float) -> float:
    # The cap takes back what rounding may add to a quotient that is exactly 1.
    return min(1.0, numerator / denominator) if denominator else 0.0


def ochiai(s: Spectrum) -> float:
    """ef / sqrt((ef + nf)(ef + ep)): Abreu, Zoeteweij and van Gemund, TAICPART 2007."""
    return _ratio(s.ef, math.sqrt(s.failing * (s.ef + s.ep)))


def tarantula(s: Spectrum) -> float:
    """Share of failing tests against that of passing ones: Jones and Harrold, ASE 2005.

    Without passing tests their share is 0, so that whatever a failing test executes gets 1.
    """
    failed, passed = _ratio(s.ef, s.failing), _ratio(s.ep, s.passing)
    return _ratio(failed, failed + passed)


def dstar(s: Spectrum) -> float:
    """ef**2 / (ep + nf), D* with star = 2: Wong, Debroy, Gao and Li, IEEE Trans. Reliability 2014.

    Its range [0, inf] is mapped by x / (1 + x); a zero denominator is the limit, inf, hence 1.
    """
    return _ratio(s.ef**2, s.ef**2 + s.ep + s.nf)


def jaccard(s: Spectrum) -> float:
    """ef / (ef + nf + ep): Chen et al., Pinpoint, DSN 2002."""
    return _ratio(s.ef, s.failing + s.ep)


def barinel(s: Spectrum) -> float:
    """1 - ep / (ep + ef): Abreu, Zoeteweij and van Gemund, ASE 2009, for a single fault."""
    return _ratio(s.ef, s.ef + s.ep)


def op2(s: Spectrum) -> float:
    """ef - ep / (ep + np + 1): Naish, Lee and Ramamohanarao, TOSEM 2011; GZoltar's Opt.

    Divided by the number of failing tests; values below 0 (no failing test) become 0.
    """
    return max(0.0, _ratio(s.ef - s.ep / (s.passing + 1), s.failing))


def naish1(s: Spectrum) -> float:
    """-1 if any failing test misses the statement, else np: Naish et al., TOSEM 2011 (O, Op1).

    Mapped from [-1, ep + np] by (x + 1) / (ep + np + 1); 0 when no test fails.
    """
    if s.nf or not s.failing:
        return 0.0
    return (s.np + 1) / (s.passing + 1)


def kulczynski2(s: Spectrum) -> float:
    """(ef / (ef + nf) + ef / (ef + ep)) / 2: Lourenco, Lobo and Bacao, 2004; via Naish et al."""
    return (_ratio(s.ef, s.failing) + _ratio(s.ef, s.ef + s.ep)) / 2


def gp13(s: Spectrum) -> float:
    """ef (1 + 1 / (2 ep + ef)): Yoo, SSBSE 2012, evolved; divided by its maximum, ef + nf + 1."""
    return _ratio(s.ef + _ratio(s.ef, 2 * s.ep + s.ef), s.failing + 1)


def ample(s: Spectrum) -> float:
    """|ef / (ef + nf) - ep / (ep + np)|: Dallmeier, Lindig and Zeller, ECOOP 2005."""
    return abs(_ratio(s.ef, s.failing) - _ratio(s.ep, s.passing))


def russell_rao(s: Spectrum) -> float:
    """ef / (ef + nf + ep + np): Russell and Rao, 1940; via Naish et al., TOSEM 2011."""
    return _ratio(s.ef, s.total)


def sorensen_dice(s: Spectrum) -> float:
    """2 ef / (2 ef + nf + ep): Dice, 1945, and Sorensen, 1948; via Naish et al., TOSEM 2011."""
    return _ratio(2 * s.ef, 2 * s.ef + s.nf + s.ep)


def simple_matching(s: Spectrum) -> float:
    """(ef + np) / (ef + nf + ep + np): Sokal and Michener, 1958; via Naish et al., TOSEM 2011."""
    return _ratio(s.ef + s.np, s.total)


def rogers_tanimoto(s: Spectrum) -> float:
    """(ef + np) / (ef + np + 2 (nf + ep)): Rogers and Tanimoto, 1960; via Naish et al."""
    agreeing = s.ef + s.np
    return _ratio(agreeing, agreeing + 2 * (s.nf + s.ep))


def anderberg(s: Spectrum) -> float:
    """ef / (ef + 2 (nf + ep)): Anderberg, 1973; via Naish et al., TOSEM 2011."""
    return _ratio(s.ef, s.ef + 2 * (s.nf + s.ep))


def ochiai2(s: Spectrum) -> float:
    """ef np / sqrt((ef + ep)(np + nf)(ef + nf)(ep + np)): Ochiai, 1957; via Naish et al."""
    margins = (s.ef + s.ep) * (s.np + s.nf) * s.failing * s.passing
    return _ratio(s.ef * s.np, math.sqrt(margins))


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "ochiai": ochiai,
        "tarantula": tarantula,
        "dstar": dstar,
        "jaccard": jaccard,
        "barinel": barinel,
        "op2": op2,
        "naish1": naish1,
        "kulczynski2": kulczynski2,
        "gp13": gp13,
        "ample": ample,
        "russell-rao": russell_rao,
        "sorensen-dice": sorensen_dice,
        "simple-matching": simple_matching,
        "rogers-tanimoto": rogers_tanimoto,
        "anderberg": anderberg,
        "ochiai2": ochiai2,
    }
)

_ALIASES = {"opt": "op2", "sbi": "barinel", "dice": "sorensen-dice", "naish2": "op2"}


def canonical_name(name: str) -> str:
    """The key of `FORMULAS` that `name` means, whatever its case, hyphens and underscores.

    Raises:
        BadInputError: when there is no such formula.
    """
    wanted = _squeeze(name)
    wanted = _squeeze(_ALIASES.get(wanted, wanted))
    for known in FORMULAS:
        if _squeeze(known) == wanted:
            return known
    raise BadInputError(f"no formula is called {name!r}; choose one of {', '.join(FORMULAS)}")


def _squeeze(name: str) -> str:
    squeezed = "".join(char for char in name.casefold() if char.isalnum() or char == "*")
    return {"d*": "dstar", "d2": "dstar", "russelrao": "russellrao"}.get(squeezed, squeezed)
