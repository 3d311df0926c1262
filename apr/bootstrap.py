"""The only place where the parts are wired together for a deployment."""

from __future__ import annotations

from apr.core.errors import StoreError
from apr.core.ports import Generator
from apr.service import Service
from apr.settings import AppSettings, RunSettings
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore


def bootstrap(settings: AppSettings | None = None) -> Service:
    """A service on the configured database, embedded in this process.

    Raises:
        StoreError: when the database cannot be opened or brought up to date.
    """
    settings = settings or AppSettings()
    if settings.database_url is None:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"the data folder {settings.data_dir} cannot be made: {error.strerror}"
            ) from error
    engine = make_engine(settings.store_url)
    ensure_schema(engine)
    return Service(SqlRunStore(engine), make_generator)


def make_generator(settings: RunSettings) -> Generator:
    """The generator that a run asks for."""
    # Imported here because the syntax-tree libraries are slow to load.
    from apr.generation.template.generator import TemplateGenerator
    from apr.generation.template.python.language import PythonLanguage
    from apr.generation.template.treesitter import LANGUAGES

    return TemplateGenerator((PythonLanguage(), *LANGUAGES))
