"""Looks at this machine: which parts of it a repair can use, and what would add a missing one."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from apr.core.errors import AprError
from validation.sandbox.policy import MIB, SandboxPolicy
from validation.sandbox.select import available

if TYPE_CHECKING:
    from apr.settings import AppSettings

PROBE_TIMEOUT_S = 10.0
DEFAULT_HOST = "unix:///var/run/docker.sock"
CONNECT_TIMEOUT_S = 3.0
DEFAULT_PORTS = {"redis": 6379, "rediss": 6379, "postgresql": 5432, "postgres": 5432}

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "serve": ("torch", "transformers", "fastapi", "uvicorn"),
    "train": ("torch", "transformers"),
    "workers": ("celery", "redis", "psycopg"),
    "web": ("fastapi", "uvicorn", "jinja2"),
    "bench": ("pyarrow",),
}
KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
TOOLS = {"git": "git", "java": "default-jdk", "mvn": "maven", "node": "nodejs", "gcc": "gcc"}
SANDBOX_REMEDIES = {
    "docker": "install a Docker engine and give --image",
    "bubblewrap": "apt-get install bubblewrap (and allow user namespaces)",
    "process": "use a Linux machine",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `remedy` adds it where it is lacking.

    `needed` marks what `apr fix` cannot do without.
    """

    group: str
    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = False


def probe_machine(settings: AppSettings, image: str | None) -> Iterator[Check]:
    """Every check, in the order in which it is shown."""
    yield from probe_python()
    yield from probe_sandboxes(image)
    yield probe_images(settings)
    yield probe_store(settings)
    yield from probe_services(os.environ)
    yield probe_gpu()
    yield from probe_keys(os.environ)
    yield from probe_extras()
    yield from probe_tools()


def probe_python() -> Iterator[Check]:
    """This interpreter and its pytest."""
    version = f"{platform.python_version()} at {sys.executable}"
    yield Check("python", "interpreter", True, version, needed=True)
    try:
        found = importlib.metadata.version("pytest")
    except importlib.metadata.PackageNotFoundError:
        yield Check("python", "pytest", False, "missing", "pip install pytest", needed=True)
    else:
        yield Check("python", "pytest", True, found, needed=True)


def probe_sandboxes(image: str | None) -> Iterator[Check]:
    """Each sandbox, tried with a trivial process; one that works is enough."""
    yield _probe_docker_engine()
    reasons = available(SandboxPolicy(), image)
    working = [name for name, reason in reasons.items() if reason is None]
    for name, reason in reasons.items():
        remedy = "" if reason is None else SANDBOX_REMEDIES[name]
        chosen = "works, and is what --sandbox auto takes" if name in working[:1] else "works"
        yield Check("sandbox", name, reason is None, reason or chosen, remedy, needed=not working)


def _probe_docker_engine() -> Check:
    remedy = "install Docker and let this user reach its socket"
    try:
        import docker
        from docker.errors import DockerException
    except ImportError:
        return Check("sandbox", "docker engine", False, "no client", "pip install docker")
    host = os.environ.get("DOCKER_HOST", DEFAULT_HOST)
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        return Check("sandbox", "docker engine", False, f"nothing at {host}", remedy)
    try:
        client = docker.from_env(timeout=int(PROBE_TIMEOUT_S))
        try:
            version = str(client.version()["Version"])
        finally:
            client.close()
    except (DockerException, OSError) as error:
        return Check("sandbox", "docker engine", False, _reason(error), remedy)
    return Check("sandbox", "docker engine", True, f"version {version} answers")


def probe_images(settings: AppSettings) -> Check:
    """The images that were made here, against their disk budget."""
    from apr.subject import image_settings
    from validation.sandbox.docker import connect
    from validation.sandbox.images.store import ImageStore
    from validation.sandbox.images.usage import ImageUsage

    try:
        with contextlib.closing(connect()) as client:
            found = ImageStore(client, ImageUsage(image_settings(settings).folder)).images()
    except AprError:
        return Check("sandbox", "images", False, "no engine to keep them", "start a Docker engine")
    held = sum(image.own_size for image in found) // MIB
    detail = f"{len(found)} made here take {held:,} MiB of {settings.sandbox_disk_mib:,}"
    ok = held <= settings.sandbox_disk_mib
    return Check("sandbox", "images", ok, detail, "" if ok else "apr sandbox prune")


def _reason(error: BaseException) -> str:
    innermost = error
    while innermost.__cause__ or innermost.__context__:
        innermost = innermost.__cause__ or innermost.__context__ or innermost
    return f"does not answer ({innermost})"


def probe_store(settings: AppSettings) -> Check:
    """Where runs are kept, whether they can be, and the schema's revision; nothing is created."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    remedy = "set APR_DATA_DIR or APR_DATABASE_URL to a place that can be written"
    try:
        url = make_url(settings.store_url)
        if url.get_backend_name() == "sqlite" and url.database:
            file = Path(url.database)
            if not file.exists():
                return _probe_new_store(file, remedy)
            if not os.access(file, os.W_OK):
                return Check("store", "database", False, f"{file} is read-only", remedy, True)
        return Check("store", "database", True, _describe_store(settings.store_url), "", True)
    except (AprError, ArgumentError, ValueError) as error:
        detail = str(error) if isinstance(error, AprError) else "its URL cannot be parsed"
        return Check("store", "database", False, detail, remedy, needed=True)


def _probe_new_store(file: Path, remedy: str) -> Check:
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    ok = folder.is_dir() and os.access(folder, os.W_OK)
    detail = f"{file} will be created" if ok else f"{file} cannot be created in {folder}"
    return Check("store", "database", ok, detail, "" if ok else remedy, needed=True)


def _describe_store(text: str) -> str:
    from apr.storage.engine import describe, make_engine, reading
    from apr.storage.migrate import current_revision
    from apr.storage.tables import HEAD_REVISION

    engine = make_engine(text)
    try:
        with reading(engine) as connection:
            revision = current_revision(connection)
    finally:
        engine.dispose()
    state = "current" if revision == HEAD_REVISION else f"will be migrated to {HEAD_REVISION}"
    name = describe(engine.url).removeprefix("the database ")
    return f"{name}, schema {revision or 'empty'} ({state})"


def probe_services(environment: Mapping[str, str]) -> Iterator[Check]:
    """The servers that are configured; PostgreSQL and Redis are optional."""
    for name, variable, schemes in (
        ("PostgreSQL", "APR_DATABASE_URL", ("postgresql", "postgres")),
        ("Redis", "APR_REDIS_URL", ("redis", "rediss")),
    ):
        url = environment.get(variable, "")
        scheme = url.partition(":")[0].partition("+")[0]
        if scheme in schemes:
            problem = reach(url, DEFAULT_PORTS[scheme])
            remedy = f"start the server or correct {variable}" if problem else ""
            detail = problem or "accepts connections"
            yield Check("services", name, problem is None, detail, remedy, name == "PostgreSQL")
        else:
            remedy = f"set {variable} to use one"
            yield Check("services", name, False, "not configured (optional)", remedy)


def reach(url: str, default_port: int) -> str | None:
    """Why nothing accepts connections at the URL's host and port, or None."""
    try:
        parts = urlsplit(url)
        address = (parts.hostname or "localhost", parts.port or default_port)
    except ValueError:
        return "its URL cannot be parsed"
    try:
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return f"{address[0]}:{address[1]} does not accept connections ({error})"
    return None


def probe_gpu() -> Check:
    """NVIDIA GPUs as nvidia-smi lists them."""
    remedy = "not needed for apr fix; local language models want one"
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("machine", "GPU", False, "no nvidia-smi", remedy)
    command = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check("machine", "GPU", False, f"nvidia-smi does not run: {error}", remedy)
    gpus = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    ok = done.returncode == 0 and bool(gpus)
    return Check(
        "machine", "GPU", ok, "; ".join(gpus) if ok else "none found", "" if ok else remedy
    )


def probe_keys(environment: Mapping[str, str]) -> Iterator[Check]:
    """Whether keys of language models are set; their values are never looked at."""
    for name in KEYS:
        present = bool(environment.get(name))
        remedy = "" if present else f"export {name}=… to use a language model"
        yield Check("keys", name, present, "set" if present else "not set (optional)", remedy)


def probe_extras() -> Iterator[Check]:
    """The optional dependencies of this package."""
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        detail = f"lacks {', '.join(missing)}" if missing else "installed"
        # Packages by their own names: APR itself is installed from a checkout, not by name.
        remedy = f"pip install {' '.join(missing)}" if missing else ""
        yield Check("extras", extra, not missing, detail, remedy)


def probe_tools() -> Iterator[Check]:
    """Programs that subjects of several languages need."""
    for tool, package in TOOLS.items():
        found = shutil.which(tool)
        remedy = "" if found else f"apt-get install {package}"
        yield Check("tools", tool, found is not None, found or "not found", remedy)
