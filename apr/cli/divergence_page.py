"""Comparisons as one HTML page that needs nothing else; all that a program said is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from apr.bench.divergence import DIVERGENT, PatchComparison, Rates, summarize
from apr.cli.text import count, printable

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left }
pre { background: #f6f6f6; overflow-x: auto; padding: .6rem; white-space: pre-wrap }
.divergent { color: #a00; font-weight: 600 }
.undecided, .error { color: #960 }
"""


def render_page(records: Sequence[PatchComparison]) -> str:
    """The whole page: the rates, a row for each patch, and each difference with its test."""
    rows = "\n".join(_row(number, record) for number, record in enumerate(records))
    details = "\n".join(
        _details(number, record) for number, record in enumerate(records) if record.report
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<title>Predicted beside reference patches</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>Predicted beside reference patches</h1>\n"
        f"{_summary(summarize(records))}\n"
        "<table>\n<tr><th>instance<th>tool<th>verdict<th>kind<th>seconds\n"
        f"{rows}\n</table>\n{details}\n</body>\n</html>\n"
    )


def _summary(rates: Rates) -> str:
    told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(rates.verdicts.items()))
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(rates.kinds.items()))
    text = (
        f"{count(rates.total, 'patch', 'patches')} on {count(rates.instances, 'instance')}: {told}."
        f" {rates.divergent:.1%} are divergent; {rates.proven} of them proven by a test,"
        f" {rates.wording} in words alone, {rates.internal} on private functions alone."
    )
    return f"<p>{_text(text)}</p>" + (f"\n<p>Kinds: {_text(kinds)}.</p>" if kinds else "")


def _row(number: int, record: PatchComparison) -> str:
    name = _text(record.instance)
    linked = f'<a href="#c{number}">{name}</a>' if record.report else name
    kinds = ", ".join(dict.fromkeys(record.kinds))
    cells = (_text(record.tool), _verdict(record), _text(kinds), f"{record.wall_s:.0f}")
    return f"<tr><td>{linked}" + "".join(f"<td>{cell}" for cell in cells)


def _verdict(record: PatchComparison) -> str:
    style = record.verdict if record.verdict in (DIVERGENT, "undecided", "error") else ""
    return f'<span class="{style}">{_text(record.verdict)}</span>'


def _details(number: int, record: PatchComparison) -> str:
    head = f'<h2 id="c{number}">{_text(record.instance)} ({_text(record.tool)})</h2>'
    return "\n".join([head, f"<p>{_text(record.message)}</p>", *_parts(record.report)])


def _parts(report: Mapping[str, Any]) -> Iterator[str]:
    for found in report["suite"]:
        yield f"<p>{_text(found['test'])}: {_text(', '.join(found['outcomes']))}</p>"
    for found in report["discrepancies"]:
        yield f"<h3>{_text(found['function'])}: {_text(', '.join(found['aspects']))}</h3>"
        yield f"<p>{_text(found['question'])}</p>"
        if found["test"] is not None:
            state = "proven" if found["test"]["proven"] else "not proven"
            yield f"<p>{_text(found['test']['name'])}, {state}:</p>"
            yield f"<pre>{_text(found['test']['text'])}</pre>"
    for found in (report.get("written") or {}).get("differences", ()):
        told = ", ".join(f"{name} {outcome}" for name, outcome in found["outcomes"].items())
        yield f"<h3>{_text(found['name'])}, written by a model: {_text(told)}</h3>"
        yield f"<pre>{_text(found['text'])}</pre>"
    covered = ", ".join(
        f"{name} {each['reached']} of {each['total']}" for name, each in report["coverage"].items()
    )
    inputs = count(report["executions"], "input")
    yield f"<p>{inputs}; differing lines reached: {_text(covered)}.</p>"


def _text(text: object) -> str:
    return escape(printable(str(text)), quote=True)
