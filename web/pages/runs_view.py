"""The list of runs: what each line shows, and the links that filter, sort and turn pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from apr.core.run import Budget, RepairRun, RunStatus, Usage

PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What the reader wants to see; `page` counts from 1."""

    text: str = ""
    status: RunStatus | None = None
    sort: str = "newest"
    page: int = 1

    @property
    def offset(self) -> int:
        """Runs on the pages before."""
        return (self.page - 1) * PER_PAGE

    def link(self) -> str:
        """The address that shows this."""
        wanted = {
            "q": self.text,
            "status": self.status.value if self.status else "",
            "sort": "" if self.sort == "newest" else self.sort,
            "page": "" if self.page == 1 else self.page,
        }
        query = urlencode({name: value for name, value in wanted.items() if value})
        return f"/runs?{query}" if query else "/runs"


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in the list; `share` in [0, 1] of the budget that is used up most, None without."""

    run: RepairRun
    name: str
    generator: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere to go; `is_here` where the reader is already."""

    label: str
    href: str
    is_here: bool = False
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class RunsView:
    """One page of the list, out of `total` runs."""

    request: ListRequest
    lines: tuple[RunLine, ...]
    total: int
    statuses: tuple[Link, ...]
    sorts: tuple[Link, ...]
    earlier: str | None
    later: str | None
    is_live: bool

    @property
    def first(self) -> int:
        """The number of the first line."""
        return self.request.offset + 1

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.request.offset + len(self.lines)


def runs_view(
    request: ListRequest,
    runs: Sequence[RepairRun],
    total: int,
    counts: Mapping[RunStatus, int],
    sorts: Sequence[str],
) -> RunsView:
    """The page of `runs` that was asked for; `counts` are of all runs, whatever was asked for."""
    return RunsView(
        request,
        tuple(run_line(run) for run in runs),
        total,
        tuple(_status_links(request, counts)),
        tuple(
            Link(sort, replace(request, sort=sort, page=1).link(), sort == request.sort)
            for sort in sorts
        ),
        earlier=_turn(request, -1) if request.page > 1 else None,
        later=_turn(request, 1) if request.offset + len(runs) < total else None,
        is_live=any(not run.status.is_final for run in runs),
    )


def _turn(request: ListRequest, pages: int) -> str:
    return replace(request, page=request.page + pages).link()


def _status_links(request: ListRequest, counts: Mapping[RunStatus, int]) -> list[Link]:
    every = replace(request, status=None, page=1)
    links = [Link("all", every.link(), request.status is None, sum(counts.values()))]
    for status in RunStatus:
        if counts.get(status) or request.status is status:
            href = replace(every, status=status).link()
            here = request.status is status
            links.append(Link(status.value, href, here, counts.get(status, 0)))
    return links


def run_line(run: RepairRun) -> RunLine:
    """What the list shows of a run."""
    return RunLine(run, run_name(run), generator_name(run), used_share(run.budget, run.usage))


def run_name(run: RepairRun) -> str:
    """What to call the bug: its name, or the folder's."""
    return run.bug.name or run.bug.subject.rstrip("/").rpartition("/")[2] or run.id


def generator_name(run: RepairRun) -> str:
    """Who proposes patches: the language model by its name, or the templates."""
    model = run.settings.get("llm")
    if run.settings.get("generator") == "llm" and isinstance(model, Mapping):
        return str(model.get("model", "model"))
    return str(run.settings.get("generator", "template"))


def used_share(budget: Budget, usage: Usage) -> float | None:
    """How much of the budget is used up, by the limit that is nearest."""
    pairs = (
        (usage.candidates, budget.candidates),
        (usage.seconds, budget.seconds),
        (usage.cost_usd, budget.cost_usd),
        (usage.tokens, budget.tokens),
        (usage.calls, budget.calls),
    )
    shares = [min(1.0, used / limit) for used, limit in pairs if limit]
    return max(shares, default=None)
