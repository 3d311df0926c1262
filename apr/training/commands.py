"""The steps of a training as commands; each imports only what it needs.

collect and select need git, tokenizer and pack need tokenizers, run needs torch, evaluate needs
transformers, bundle needs ctranslate2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apr.core.errors import AprError, EnvironmentUnusableError, ExitCode

ABOUT = "Train a repair model: collect, select, tokenizer, pack, run, evaluate, export, bundle."
MISSING = "this step of the training needs more packages: pip install 'apr[train]' (no {name} here)"

Arguments = argparse.Namespace


def main(words: Sequence[str]) -> int:
    """Run one command; its exit code."""
    try:
        dispatch(words, "python -m apr.training")
    except AprError as error:
        sys.stderr.write(f"error: {error}\n")
        return int(error.exit_code)
    return int(ExitCode.OK)


def dispatch(words: Sequence[str], program: str) -> None:
    """Run one command.

    Raises:
        EnvironmentUnusableError: A package is missing.
    """
    arguments = _parser(program).parse_args(words)
    with _needed_packages():
        arguments.action(arguments)


@contextmanager
def _needed_packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise EnvironmentUnusableError(MISSING.format(name=error.name)) from error


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=ABOUT)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: Callable[[Arguments], None]) -> argparse.ArgumentParser:
        about = (action.__doc__ or "").strip()
        added = commands.add_parser(name, help=about, description=about)
        added.set_defaults(action=action)
        return added

    _add_data_commands(command)
    _add_model_commands(command)
    return parser


def _add_data_commands(command: Any) -> None:
    one = command("collect", _collect)
    one.add_argument("repository", type=Path, help="a git repository with its history")
    one.add_argument("output", type=Path, help="folder for what projects give")
    one.add_argument("--project", required=True, help="owner/name, by which projects are split")
    one.add_argument("--benchmark", type=Path, action="append", default=[], help=BENCHMARK)
    one.add_argument("--code-bytes", type=int, default=3_000_000, help="most code to take")
    one.add_argument("--fixes", type=int, default=3_500, help="most fixes to take")
    one = command("select", _select)
    one.add_argument("projects", type=Path, help="what collect wrote")
    one.add_argument("output", type=Path)
    one.add_argument("--benchmark", type=Path, action="append", default=[], help=BENCHMARK)
    one = command("tokenizer", _tokenizer)
    one.add_argument("selected", type=Path, help="what select wrote; the tokenizer goes there too")
    one.add_argument("--size", type=int, default=16384, help="tokens")
    one.add_argument("--share", type=float, default=0.2, help="of the code to learn from")
    one = command("pack", _pack)
    one.add_argument("selected", type=Path, help="what select and tokenizer wrote")
    one.add_argument("output", type=Path)
    one.add_argument("--part", action="append", choices=PARTS, help="default: all")
    one.add_argument("--workers", type=int, default=1, help="processes")
    one.add_argument("--rounds", type=int, default=1, help="how often bugs are injected anew")
    one.add_argument("--held-out", type=int, default=20_000, help="most injected bugs held out")


BENCHMARK = "folder with sources that must not occur in the data; repeatable"
PARTS = ("code", "mined", "injected", "held-out")


def _add_model_commands(command: Any) -> None:
    one = command("run", _run)
    one.add_argument("data", type=Path, help="what pack wrote")
    one.add_argument("output", type=Path, help="folder of checkpoint and log; goes on from there")
    one.add_argument("--from", dest="start", type=Path, help="T5 checkpoint folder to fine-tune")
    one.add_argument("--seconds", type=float, default=600.0, help="for this sitting")
    one.add_argument("--steps", type=int, default=0, help="instead of seconds")
    one.add_argument("--until", type=float, default=1.0, help="progress after this sitting")
    one.add_argument("--pretrain", type=float, default=0.45, help="share of it on corrupted code")
    one.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    one.add_argument("--rows", type=int, default=64, help="of a batch")
    one.add_argument("--source", type=int, default=1024, help="tokens of a row's inputs")
    one.add_argument("--target", type=int, default=256, help="tokens of a row's answers")
    one.add_argument(
        "--mined-weight", type=int, default=3, help="times a real fix is seen an epoch"
    )
    one.add_argument("--workers", type=int, default=0, help="processes that make batches")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False)
    one.add_argument("--shape", default="{}", help='JSON, such as {"width": 256}')
    one = command("evaluate", _evaluate)
    one.add_argument("checkpoint", type=Path, help="what run wrote")
    one.add_argument("data", type=Path, help="what pack wrote")
    one.add_argument("result", type=Path, help="JSON file to write")
    one.add_argument("--split", choices=("train", "valid", "test"), default="test")
    one.add_argument("--origin", choices=("mined", "injected"), default="mined")
    one.add_argument("--count", type=int, default=1000)
    one.add_argument("--beams", type=int, default=10)
    one.add_argument("--batch", type=int, default=0, help="examples at once; 0: by beams")
    one = command("export", _export)
    one.add_argument("checkpoint", type=Path, help="what run wrote")
    one.add_argument("output", type=Path)
    one.add_argument("--precision", choices=("int8", "float16", "float32"), default="int8")
    one.add_argument("--piece-mib", type=int, default=15)
    one = command("bundle", _bundle)
    one.add_argument("exported", type=Path, help="what export wrote")
    one.add_argument("tokenizer", type=Path, help="tokenizer.json")
    one.add_argument("output", type=Path)
    one.add_argument("--name", default="apr-repair")
    one.add_argument("--version", default="1")
    one.add_argument("--notes", default="{}", help="JSON to keep with the facts")


def _collect(arguments: Arguments) -> None:
    """Take code and fixes from a repository."""
    from apr.training.collecting import Caps, collect, read_benchmarks

    arguments.output.mkdir(parents=True, exist_ok=True)
    about = collect(
        arguments.repository,
        arguments.project,
        arguments.output,
        read_benchmarks(arguments.benchmark),
        Caps(arguments.code_bytes, arguments.fixes),
    )
    _say(f"{about.project}: {about.licence}, {about.files} files, {about.mined} fixes")


def _select(arguments: Arguments) -> None:
    """Split by project, without duplicates and benchmarks."""
    from apr.training.collecting import read_benchmarks
    from apr.training.selection import CARD, select

    select(arguments.projects, arguments.output, read_benchmarks(arguments.benchmark))
    _say((arguments.output / CARD).read_text())


def _tokenizer(arguments: Arguments) -> None:
    """Learn a byte-level BPE from the training code."""
    from apr.training.packing import training_texts
    from apr.training.tokenizer import save_tokenizer, train_tokenizer

    texts = training_texts(arguments.selected, arguments.share)
    save_tokenizer(arguments.selected, train_tokenizer(texts, arguments.size))


def _pack(arguments: Arguments) -> None:
    """Inject bugs and turn everything into token ids."""
    from apr.training.packing import pack

    for line in pack(
        arguments.selected,
        arguments.output,
        arguments.part or PARTS,
        arguments.workers,
        arguments.rounds,
        arguments.held_out,
    ):
        _say(line)


def _run(arguments: Arguments) -> None:
    """Train for a while, or go on."""
    from apr.training.batches import Room
    from apr.training.corpus import load_vocabulary
    from apr.training.export import load_folder
    from apr.training.loop import Plan, train
    from apr.training.schedule import Schedule
    from apr.training.t5 import T5, Shape

    plan = Plan(
        data=arguments.data,
        output=arguments.output,
        schedule=Schedule(
            seconds=arguments.seconds,
            steps=arguments.steps,
            until=arguments.until,
            pretrain=arguments.pretrain,
            rate=arguments.rate,
        ),
        room=Room(arguments.rows, arguments.source, arguments.target),
        mined_weight=arguments.mined_weight,
        seed=arguments.seed,
        workers=arguments.workers,
        compiled=arguments.compile,
    )
    size = load_vocabulary(arguments.data).size

    def make() -> T5:
        if arguments.start:
            return load_folder(arguments.start)
        return T5(Shape(size, **json.loads(arguments.shape)))

    progress = train(plan, make)
    _say(f"progress {progress.reached:.3f}, {progress.tokens} tokens, {dict(progress.batches)}")


def _evaluate(arguments: Arguments) -> None:
    """Measure exact match on held-out projects."""
    from apr.training.evaluation import evaluate, save_evaluation, table

    about = {
        name: getattr(arguments, name) for name in ("split", "origin", "count", "beams", "batch")
    }
    found = evaluate(arguments.checkpoint, arguments.data, **about)
    save_evaluation(arguments.result, found, about)
    for row in table(found, arguments.beams):
        _say(json.dumps(row))


def _export(arguments: Arguments) -> None:
    """Write the weights in small pieces."""
    from apr.training.export import export

    manifest = export(
        arguments.checkpoint, arguments.output, arguments.precision, arguments.piece_mib
    )
    _say(f"{manifest['parameters']} parameters in {len(manifest['pieces'])} pieces")


def _bundle(arguments: Arguments) -> None:
    """Convert the weights to what runs on a CPU."""
    from apr.training.bundling import bundle

    facts = bundle(
        arguments.exported,
        arguments.tokenizer,
        arguments.output,
        arguments.name,
        arguments.version,
        json.loads(arguments.notes),
    )
    size = sum(path.stat().st_size for path in arguments.output.iterdir())
    _say(f"{facts.title}: {size / 1e6:.1f} MB")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
