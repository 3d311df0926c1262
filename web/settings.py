"""What is particular to one web server; `apr web` fills it, `APR_WEB_*` variables do the rest."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from apr.core.errors import BadInputError
from apr.settings import ModelSettings, SandboxName

MIB = 1024 * 1024


class WebSettings(BaseSettings):
    """Settings of `apr web`."""

    model_config = SettingsConfigDict(env_prefix="APR_WEB_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback only with `authenticate`."""

    port: int = Field(default=8080, ge=0, le=65535)
    """Port; 0: any free one."""

    authenticate: bool = False
    """Whether a token is asked of everybody; without, whoever reaches the server is its owner."""

    public_names: tuple[str, ...] = ()
    """Names under which the server is reached, such as `apr.example.org`; requests for others are
    refused. Loopback names and the address itself are always known."""

    is_https: bool = False
    """Whether a proxy in front speaks HTTPS: cookies are then never sent without it."""

    runs_at_once: int = Field(default=1, ge=0)
    """Runs executed in this process at once; 0: none, so that workers do it."""

    sandbox: SandboxName | None = None
    """Sandbox of submitted runs; None: the strongest that works here without `authenticate`, and
    never the weak `process` with it."""

    python: str = Field(default_factory=lambda: sys.executable)
    """Interpreter for submitted Python projects; what a project brings along is never started."""

    images: tuple[str, ...] = ()
    """Docker images that a submitted run may name."""

    models: dict[str, ModelSettings] = Field(default_factory=dict)
    """Language models by the name under which a run may ask for them."""

    benchmarks: Path | None = None
    """Folder of benchmark records, or of folders of them, that the dashboard shows."""

    metrics: tuple[str, ...] = ()
    """Addresses of the metrics of workers and model servers, such as
    `http://127.0.0.1:9400/metrics`; the dashboard asks them."""

    allowed_paths: tuple[Path, ...] = ()
    """Folders of this machine below which a run may name its project."""

    allowed_urls: tuple[str, ...] = ()
    """Beginnings of URLs that may be cloned, such as `https://github.com/our-team/`."""

    allow_private_addresses: bool = False
    """Whether clones and webhooks may go to private and loopback addresses."""

    max_upload_bytes: int = Field(default=64 * MIB, ge=1)
    """Size of an uploaded archive, bundle or patch."""

    max_body_bytes: int = Field(default=1 * MIB, ge=1)
    """Size of any other request."""

    max_unpacked_bytes: int = Field(default=512 * MIB, ge=1)
    """Size of a project, once unpacked or checked out."""

    max_files: int = Field(default=50_000, ge=1)
    """Files and folders of a project."""

    max_sources: int = Field(default=100, ge=1)
    """Projects that a user may have here; the oldest that no run needs goes first."""

    body_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds that a request may take to arrive, after its headers."""

    header_timeout_s: float = Field(default=10.0, gt=0)
    """Seconds that a request's headers may take to arrive."""

    clone_timeout_s: float = Field(default=300.0, gt=0)
    """Seconds that a clone may take."""

    requests_per_second: float = Field(default=50.0, ge=0)
    """Requests of one user or address in the long run; 0: any number."""

    burst: int = Field(default=200, ge=1)
    """Requests of one user or address at once."""

    failures_per_minute: int = Field(default=20, ge=1)
    """Wrong tokens from one address, before it has to wait."""

    max_listeners: int = Field(default=1000, ge=1)
    """Open event streams in all."""

    max_listeners_each: int = Field(default=300, ge=1)
    """Open event streams of one user."""

    session_hours: float = Field(default=12.0, gt=0)
    """Hours after which a browser has to log in again."""

    def check(self) -> None:
        """Refuse to be open to others without asking for a token.

        Raises:
            BadInputError: when it would be.
        """
        if not self.authenticate and not is_loopback(self.host):
            raise BadInputError(
                f"{self.host} can be reached by others: add --auth, and make a token with"
                " apr token create"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
