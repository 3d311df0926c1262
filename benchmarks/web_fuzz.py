"""Many requests drawn from the API's own OpenAPI document, each answer checked against it.

    python benchmarks/web_fuzz.py --cases 100

Every operation is asked so often as the document allows, and as often as it does not. Prints the
number of cases, the statuses, and every answer that was a server error or is not documented.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.api_fuzz import fuzz
from support.web_server import web_server
from web.security.principal import Scope


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100, help="of each kind for each operation")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        web_server(Path(folder), authenticate=True) as server,
        server.client("fuzz") as client,
    ):
        source = client.post("/sources/archive", content=_archive()).json()["source"]
        run = client.post("/runs", json={"source": source}).json()["run"]
        client.post(f"/runs/{run}/cancel")
        headers = {"Authorization": f"Bearer {server.token('fuzz', Scope.ADMIN)}"}
        known = {"run_id": [run], "source_id": [source], "node_id": ["0"]}
        begun = time.monotonic()
        found = fuzz(server.url, headers, known, options.cases, options.seed)
    print(f"{sum(found.statuses.values()):,} cases, {len(found.operations)} operations,")
    print(f"{time.monotonic() - begun:.0f} s; statuses {dict(sorted(found.statuses.items()))}")
    print(f"{len(found.failures)} answers were server errors or undocumented")
    for failure in dict.fromkeys(found.failures):
        print(f"  {failure}")
    return 1 if found.failures else 0


def _archive() -> bytes:
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("calc.py", "test_calc.py"):
            member = tarfile.TarInfo(name)
            member.size = 6
            tar.addfile(member, io.BytesIO(b"x = 1\n"))
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main())
