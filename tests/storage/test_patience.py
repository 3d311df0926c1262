"""A patient store outlasts a restart of its database, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.core.errors import BadInputError, StoreError, StoreUnavailableError
from apr.core.run import Usage
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
from apr.storage.patience import PAUSES_S, patient
from apr.storage.store import SqlRunStore
from support.postgres import find_programs, postgres_serving


@pytest.mark.postgres
def test_a_restart_is_waited_for_and_every_connection_made_anew() -> None:
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server programs (initdb, postgres) are not installed")
    with postgres_serving(programs) as server:
        engine = make_engine(server.url)
        ensure_schema(engine)
        impatient = SqlRunStore(engine)
        assert impatient.totals().usage == Usage()
        server.stop()
        with pytest.raises(StoreUnavailableError):
            impatient.totals()
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                server.start()

        assert patient(impatient, pause).totals().usage == Usage()
        assert pauses[:2] == list(PAUSES_S[:2])
        engine.dispose()


def test_what_will_not_pass_is_not_waited_for(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/apr.db")
    ensure_schema(engine)
    pauses: list[float] = []
    store = patient(SqlRunStore(engine), pauses.append)
    with pytest.raises(BadInputError):
        store.get_run("nobody")
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE leases")
    with pytest.raises(StoreError):
        store.release("r", "o")
    assert pauses == []
    engine.dispose()
