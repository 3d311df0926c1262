"""Tries every attack of the tests on a server and prints what became of it, as a table.

python benchmarks/web_attacks.py > benchmarks/results/web-attacks.md
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.attacks import ATTACKS, attacked_settings, make_world
from support.web_server import web_server


def main() -> int:
    said, refused = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with web_server(folder, **attacked_settings(folder)) as server:
            world = make_world(server, folder)
            with world.clients:
                for attack in ATTACKS:
                    try:
                        outcome = attack.try_it(world)
                        refused += 1
                    except Exception as error:  # noqa: BLE001 - whatever it is, it was not refused
                        outcome = f"**NOT REFUSED**: {type(error).__name__}"
                    said.append((attack.kind, attack.name, outcome))
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(k for k, _, _ in said).items())
    print("# Attacks on the web server\n")
    print("`python benchmarks/web_attacks.py`: each is made over HTTP on a running server, as the")
    print("tests in tests/web/test_attacks.py do; the code is in tests/support/attacks.\n")
    print(f"**{refused} of {len(said)} refused** ({kinds}).\n")
    print("| kind | attack | what became of it |\n|---|---|---|")
    for kind, name, outcome in said:
        print(f"| {kind} | {_cell(name)} | {_cell(outcome)} |")
    return 0 if refused == len(said) else 1


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main())
