"""`apr serve`: a model on this machine, behind the protocol of OpenAI."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from apr.cli.guard import complain
from apr.cli.text import one_line
from apr.core.errors import BadInputError, EnvironmentUnusableError

MODEL, SERVER = "Model", "Server"
MISSING = "apr serve needs more packages: pip install 'apr[serve]' (there is no {name} here)"


class Device(StrEnum):
    """Where the model runs."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


class Precision(StrEnum):
    """The type of weights and cache."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


ModelArgument = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="Hugging Face folder, or GGUF file.", show_default=False),
]
HostOption = Annotated[
    str, typer.Option("--host", rich_help_panel=SERVER, help="Address to listen on.")
]
PortOption = Annotated[
    int,
    typer.Option("--port", min=0, max=65535, rich_help_panel=SERVER, help="Port; 0: any free one."),
]
DeviceOption = Annotated[
    Device, typer.Option("--device", rich_help_panel=MODEL, help="auto: a GPU if there is one.")
]
DtypeOption = Annotated[
    Precision,
    typer.Option("--dtype", rich_help_panel=MODEL, help="auto: bf16 on a GPU, fp32 on the CPU."),
]
SlotsOption = Annotated[
    int | None,
    typer.Option(
        "--slots",
        metavar="N",
        min=1,
        rich_help_panel=MODEL,
        help="Answers written at once. Default: 128 on a GPU, 8 on the CPU, or what fits.",
    ),
]
LengthOption = Annotated[
    int | None,
    typer.Option(
        "--max-length",
        metavar="TOKENS",
        min=2,
        rich_help_panel=MODEL,
        help="Prompt and answer together. Default: 8192, or what the model was made for.",
    ),
]
SpeculationOption = Annotated[
    bool,
    typer.Option(
        "--speculation/--no-speculation",
        rich_help_panel=MODEL,
        help="Guess what is copied from prompts and sibling answers. Changes the speed only.",
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        rich_help_panel=SERVER,
        help="What clients call the model. Default: its folder or file.",
    ),
]
QueueOption = Annotated[
    int,
    typer.Option(
        "--queue",
        metavar="N",
        min=0,
        rich_help_panel=SERVER,
        help="Answers that may wait for a slot; further requests get status 429.",
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="S", min=0.1, rich_help_panel=SERVER, help="Seconds for one request."
    ),
]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token-env",
        metavar="NAME",
        rich_help_panel=SERVER,
        help="Environment variable with the bearer token that clients must send, if it is set.",
    ),
]


def serve(
    model: ModelArgument,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    device: DeviceOption = Device.AUTO,
    dtype: DtypeOption = Precision.AUTO,
    slots: SlotsOption = None,
    max_length: LengthOption = None,
    speculation: SpeculationOption = True,
    name: NameOption = None,
    queue: QueueOption = 1024,
    timeout: TimeoutOption = 600.0,
    token_env: TokenOption = "APR_SERVE_TOKEN",
) -> None:
    """Serve a model of your own to `apr fix --base-url` or any OpenAI client.

    Many answers to one prompt are written side by side, and the prompt is read once. It speaks
    /v1/chat/completions, /v1/completions and /v1/models, and answers /health.
    """
    if not model.exists():
        raise BadInputError(f"there is no model at {one_line(model)}")
    try:
        from apr.serving.http.run import listen, run_app

        listener = listen(host, port)
        from apr.serving.http.app import Policy, create_app
        from apr.serving.http.service import Service
        from apr.serving.loading import Placement, load_engine
    except ModuleNotFoundError as error:
        raise EnvironmentUnusableError(MISSING.format(name=error.name)) from None
    placement = Placement(device.value, dtype.value, slots, max_length, speculation)
    loaded = load_engine(model, placement)
    policy = Policy(
        name or loaded.checkpoint.name, loaded.length, timeout, os.environ.get(token_env) or None
    )
    app = create_app(
        Service(loaded.engine, loaded.slots + queue), loaded.checkpoint.vocabulary, policy
    )
    width = f"{loaded.slots} slots of {loaded.length} tokens on {loaded.decoder.device.type}"

    def tell(address: str) -> None:
        complain(f"serving {policy.model} at {address}/v1 ({width})")

    try:
        run_app(app, listener, tell)
    except KeyboardInterrupt:
        complain("stopped")
