"""The Triton kernels on a GPU: how far from float64 they lie, and what they take beside torch.

    python benchmarks/kernels_check.py --out kernels.jsonl

First every fused operation on ragged rows, in bfloat16 and float32, with what lies behind each row
poisoned; then whether a row's attention is bit for bit the same alone; then microseconds of a
layer's operations, recorded in a graph and replayed, for Qwen2.5-Coder's 0.5B and 1.5B and a 7B
shape. Exit code 1 when anything is further away than its type explains.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import torch  # noqa: E402

if not (torch.cuda.is_available() and find_spec("triton")):
    print("kernels_check.py: it takes a GPU and Triton", file=sys.stderr)
    raise SystemExit(3)

from apr.serving.kernels.operations import Fused  # noqa: E402
from apr.serving.operations import Operations, Plain  # noqa: E402
from support.kernel_pairs import (  # noqa: E402
    EPSILON,
    Case,
    Rig,
    distance,
    is_alone_the_same,
    pairs,
)

MOST = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
CHECKED = (
    Case(heads=14, kv_heads=2, head_width=64, rows=5, tokens=1, length=2048),
    Case(heads=14, kv_heads=2, head_width=64, rows=3, tokens=32, length=1000),
    Case(heads=12, kv_heads=2, head_width=128, rows=4, tokens=8, length=4100),
    Case(heads=28, kv_heads=4, head_width=128, rows=2, tokens=2, length=20000),
    Case(heads=16, kv_heads=8, head_width=128, rows=7, tokens=4, length=600, has_norms=True),
    Case(heads=7, kv_heads=1, head_width=24, rows=2, tokens=5, length=140, has_norms=True),
)
TIMED = {"0.5B": (14, 2, 64), "1.5B": (12, 2, 128), "7B": (28, 4, 128)}
STEPS = ((1, 1), (1, 32), (8, 1), (8, 16), (32, 8), (128, 1), (128, 2))  # rows, tokens
LENGTH = 2048
REPLAYS, REPEATS = 20, 7


def check(device: torch.device, tell: Callable[[dict[str, object]], None]) -> bool:
    """Compare every operation; whether all is well."""
    is_well = True
    for seed, case in enumerate(CHECKED):
        for dtype, most in MOST.items():
            found = {name: distance(a, b) for name, a, b in pairs(case, device, dtype, seed)}
            is_same = is_alone_the_same(case, device, dtype, seed)
            is_right = is_same and all(error < most for error in found.values())
            is_well &= is_right
            tell(
                {
                    "check": asdict(case),
                    "dtype": str(dtype),
                    "is_right": is_right,
                    "is_alone_the_same": is_same,
                    "distances": found,
                }
            )
    return is_well


def microseconds(work: Callable[[], object]) -> float:
    """The median time of one call, from replays of a graph that holds some of them."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(REPLAYS):
            work()
    graph.replay()
    times = []
    for _ in range(REPEATS):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        graph.replay()
        after.record()
        after.synchronize()
        times.append(1000 * before.elapsed_time(after) / REPLAYS)
    return statistics.median(times)


def timings(rig: Rig, operations: Operations) -> dict[str, float]:
    """Microseconds of each operation of one layer."""
    case, shape = rig.case, rig.case.shape
    view = operations.window(rig.cache, rig.positions, rig.positions, rig.cache.places)
    queries = operations.turn(rig.joint, rig.rotation, rig.norms, view, 0)
    state, change = (rig.draw(case.rows, case.tokens, shape.width) for _ in range(2))
    weight, inner = rig.draw(shape.width), rig.draw(case.rows, case.tokens, 2 * shape.inner_width)
    return {
        "turn": microseconds(lambda: operations.turn(rig.joint, rig.rotation, rig.norms, view, 0)),
        "attend": microseconds(lambda: view.attend(0, queries)),
        "add_normal": microseconds(lambda: operations.add_normal(state, change, weight)),
        "gated": microseconds(lambda: operations.gated(inner)),
    }


def main() -> int:
    """Check, then time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="all numbers as JSON lines")
    asked = parser.parse_args()
    device = torch.device("cuda")

    def tell(record: dict[str, object]) -> None:
        if asked.out is not None:
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        if record.get("is_right") is False:
            print(json.dumps(record), flush=True)

    torch.set_float32_matmul_precision("highest")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    with torch.inference_mode():
        is_well = check(device, tell)
        print(f"all as it should be: {is_well}", flush=True)
        print(
            "model  rows tokens |  turn  attend  add_normal  gated, us fused / torch | layer ratio"
        )
        for name, heads in TIMED.items():
            for rows, tokens in STEPS:
                case = Case(*heads, rows, tokens, LENGTH)
                rig = Rig(case, device, torch.bfloat16, 0, is_exact=False)
                fused, plain = (timings(rig, one(EPSILON)) for one in (Fused, Plain))
                tell({"timed": asdict(case), "fused_us": fused, "torch_us": plain})
                columns = "  ".join(f"{fused[k]:5.1f}/{plain[k]:6.1f}" for k in fused)
                total, whole = (sum(one.values()) + one["add_normal"] for one in (fused, plain))
                print(
                    f"{name:5} {rows:5} {tokens:6} | {columns} | {whole / total:5.2f}", flush=True
                )
    return int(not is_well)


if __name__ == "__main__":
    raise SystemExit(main())
