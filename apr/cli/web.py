"""`apr web`: the dashboard and the REST API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apr.cli.guard import complain
from apr.core.errors import BadInputError, EnvironmentUnusableError

ACCESS, RUNS = "Access", "Runs"
MISSING = "apr web needs more packages: pip install 'apr[web]' (there is no {name} here)"


HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0: any free one.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder of the database and of uploads."),
]
AuthOption = Annotated[
    bool,
    typer.Option(
        "--auth/--no-auth",
        rich_help_panel=ACCESS,
        help="Ask everybody for a token (see apr token). Without, only loopback is served.",
    ),
]
NameOption = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="HOST",
        rich_help_panel=ACCESS,
        help="A name under which others reach the server; may be repeated.",
    ),
]
HttpsOption = Annotated[
    bool, typer.Option("--https", rich_help_panel=ACCESS, help="A proxy in front speaks HTTPS.")
]
AllowPathOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-path",
        metavar="DIR",
        rich_help_panel=RUNS,
        help="Runs may name projects below it. Default without --auth: the current folder.",
    ),
]
AllowUrlOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-url",
        metavar="PREFIX",
        rich_help_panel=RUNS,
        help="Runs may name repositories whose URL begins so; may be repeated.",
    ),
]
RunsOption = Annotated[
    int,
    typer.Option(
        "--runs",
        metavar="N",
        min=0,
        rich_help_panel=RUNS,
        help="Runs executed here at once; with APR_BROKER_URL workers execute them.",
    ),
]


def web(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
    data: DataOption = None,
    auth: AuthOption = False,
    name: NameOption = None,
    https: HttpsOption = False,
    allow_path: AllowPathOption = None,
    allow_url: AllowUrlOption = None,
    runs: RunsOption = 1,
) -> None:
    """Serve the dashboard and the REST API, on SQLite and with nothing else.

    What is submitted is executed in the background of the same process, or by workers where there
    is a broker. docs/guides/api.md has the rest; /api/v1/openapi.json describes every request.
    """
    try:
        from web.app import check_installation, create_app
        from web.server import serve
    except ModuleNotFoundError as error:
        raise EnvironmentUnusableError(MISSING.format(name=error.name)) from None
    paths = tuple(path.resolve() for path in allow_path or ())
    lists = {"public_names": name, "allowed_paths": paths, "allowed_urls": allow_url}
    settings = _settings(
        host=host,
        port=port,
        authenticate=auth,
        is_https=https,
        runs_at_once=runs,
        **{option: tuple(given) for option, given in lists.items() if given},
    )
    if not auth and not settings.allowed_paths:
        settings = settings.model_copy(update={"allowed_paths": (Path.cwd(),)})
    installation = _installation(data)
    check_installation(installation)
    app = create_app(settings, installation)

    def tell(address: str) -> None:
        complain(f"serving {address} ({'with tokens' if auth else 'for this machine only'})")

    try:
        serve(app, settings, tell)
    except KeyboardInterrupt:
        complain("stopped")


def _settings(**values: Any) -> Any:
    from pydantic import ValidationError

    from web.settings import WebSettings

    try:
        settings = WebSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInputError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    settings.check()
    return settings


def _installation(data: Path | None) -> Any:
    from apr.settings import AppSettings

    return AppSettings() if data is None else AppSettings(data_dir=data.resolve())
