"""A run as one HTML file to keep: no script, nothing loaded, every word escaped."""

from __future__ import annotations

from html import escape

from apr.results.details import RunDetails

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{overflow:auto;padding:1rem;border:1px solid #8884}"
    "td,th{padding:.2rem 1rem .2rem 0;text-align:left;vertical-align:top}"
    ".add{color:#17692f}.del{color:#a3182a}"
    "@media(prefers-color-scheme:dark){body{background:#15181c;color:#dde}"
    ".add{color:#7ddb98}.del{color:#ff9aa6}}"
)


def render_page(details: RunDetails) -> str:
    """The report."""
    run = details.run
    title = _plain(f"Run {run.id}: {run.bug.name or run.bug.subject}")
    body = [f"<h1>{title}</h1>", _facts(details), _tests(details), *_patches(details)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _facts(details: RunDetails) -> str:
    run = details.run
    facts = [
        ("status", f"{run.status.value} {f'({run.message})' if run.message else ''}"),
        ("began", f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("candidates", f"{run.usage.candidates:,}"),
        ("validations", f"{run.usage.validations:,}"),
        ("seconds", f"{run.usage.seconds:.1f}"),
        ("cost", f"{run.usage.cost_usd:.4f} USD"),
        ("commit", run.bug.base_commit or ""),
    ]
    rows = "".join(f"<tr><th>{name}</th><td>{_plain(said)}</td></tr>" for name, said in facts)
    return f"<table>{rows}</table>"


def _tests(details: RunDetails) -> str:
    if details.baseline is None:
        return "<p>The tests were not run.</p>"
    rows = "".join(
        f"<tr><td><code>{_plain(result.test)}</code></td><td>{result.outcome.value}</td>"
        f"<td><pre>{_plain(result.message)}</pre></td></tr>"
        for result in details.baseline.failing
    )
    return f"<h2>Failing tests</h2><table>{rows}</table>"


def _patches(details: RunDetails) -> list[str]:
    if not details.run.patches:
        return ["<h2>No plausible patch</h2>"]
    return [
        f"<h2>Patch {patch.rank}</h2><p>by {_plain(patch.origin)}</p><pre>{_diff(patch.diff)}</pre>"
        for patch in details.run.patches
    ]


def _diff(diff: str) -> str:
    return "\n".join(_diff_line(line) for line in diff.split("\n"))


def _diff_line(line: str) -> str:
    kind = {"+": "add", "-": "del"}.get(line[:1], "")
    return f'<span class="{kind}">{_plain(line)}</span>' if kind else _plain(line)


def _plain(text: str) -> str:
    """Escaped, and without the control characters of terminals."""
    kept = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    return escape(kept.encode("utf-8", "replace").decode())
