"""What distribution costs Redis and PostgreSQL; the part `constants` of benchmarks/scale.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import redis as redis_library
from chaos_world import descendants
from scale_store import REPORT
from scale_world import cpu_s, judging_here, judging_there, make_patches, timed_ms, working
from sqlalchemy import Engine, text

from apr.core.patch import Patch
from apr.core.run import RepairRun, Usage
from apr.core.tree import SearchNode
from apr.service import Service
from apr.settings import AppSettings
from apr.storage.engine import make_engine
from apr.storage.store import SqlRunStore
from support.postgres import PostgresServer
from support.services import RedisServer

VALIDATIONS = 500
IDLE_S = 10.0
BATCH = 8
BATCHES = 200
LOOKS = 5000
HELPERS = 2

Constants = dict[str, float]


def measure_constants(
    folder: Path,
    settings: AppSettings,
    service: Service,
    run: RepairRun,
    redis: RedisServer,
    postgres: PostgresServer,
) -> Constants:
    """Milliseconds, microseconds, bytes and counts, as the names say."""
    engine = make_engine(settings.store_url)
    with redis.client() as client:
        found = _validations(folder, settings, run, client, engine)
        found |= _idle(folder, settings, client)
    found |= _batches(service, run, postgres, engine)
    looks = lambda: [service.store.status(run.id) for _ in range(LOOKS)]  # noqa: E731
    found["postgres_look_us"] = 1e6 * _postgres_s(postgres, looks) / LOOKS
    found["preparation_ms"] = timed_ms(lambda: _prepare(service, run))
    engine.dispose()
    return {name: round(value, 4) for name, value in found.items()}


def _validations(
    folder: Path,
    settings: AppSettings,
    run: RepairRun,
    client: redis_library.Redis,
    engine: Engine,
) -> Constants:
    """What one costs Redis and the searcher; how many connections a worker's processes hold."""
    before = _connections(engine)
    with judging_there(folder, settings, run, HELPERS) as judge:
        client.config_resetstat()
        spent_s, moved, own_s = _redis_s(client), _bytes(client), time.process_time()
        took_s = judge(make_patches(VALIDATIONS))
        own_s = time.process_time() - own_s
        commands = client.info("commandstats").values()
        totals = {
            "redis_commands": sum(row["calls"] for row in commands),
            "redis_command_us": sum(row["usec"] for row in commands),
            "redis_cpu_us": 1e6 * (_redis_s(client) - spent_s),
            "redis_bytes": _bytes(client) - moved,
            "searcher_cpu_us": 1e6 * own_s,
        }
        found = {name: value / VALIDATIONS for name, value in totals.items()}
        found["measured_rate_per_s"] = VALIDATIONS / took_s
        found["connections_per_helper"] = (_connections(engine) - before) / HELPERS
    return found


def _idle(folder: Path, settings: AppSettings, client: redis_library.Redis) -> Constants:
    """What a worker with nothing to do costs Redis."""
    with working(folder, settings, 1):
        client.config_resetstat()
        spent_s = _redis_s(client)
        time.sleep(IDLE_S)
        commands = sum(row["calls"] for row in client.info("commandstats").values())
        spent_s = _redis_s(client) - spent_s
    return {
        "idle_worker_redis_commands_per_s": commands / IDLE_S,
        "idle_worker_redis_cpu_us_per_s": 1e6 * spent_s / IDLE_S,
    }


def _batches(
    service: Service, run: RepairRun, postgres: PostgresServer, engine: Engine
) -> Constants:
    """What a searcher's save of eight candidates costs PostgreSQL, their ancestors included."""
    store = service.store
    assert isinstance(store, SqlRunStore)
    nodes = [SearchNode(0, None, Patch())]
    saves: list[float] = []

    def save(patches: Sequence[Patch]) -> None:
        new = [SearchNode(len(nodes) + n, 0, p, 1, report=REPORT) for n, p in enumerate(patches)]
        nodes.extend(new)
        store.save_nodes(run.id, [nodes[0], *new])
        store.save_usage(run.id, Usage(candidates=len(nodes)))

    def save_all() -> None:
        patches = make_patches(BATCH * BATCHES, first=10_000)
        for number in range(BATCHES):
            batch = patches[number * BATCH : (number + 1) * BATCH]
            saves.append(timed_ms(partial(save, batch)))

    wal, written, own_s = _wal_bytes(engine), _rows_written(engine), time.process_time()
    spent_s = _postgres_s(postgres, save_all)
    own_s = time.process_time() - own_s
    time.sleep(1.5)  # until the server has told its statistics
    candidates = BATCH * BATCHES
    return {
        "postgres_save_ms": statistics.median(saves) / BATCH,
        "postgres_cpu_us": 1e6 * spent_s / candidates,
        "postgres_wal_bytes": (_wal_bytes(engine) - wal) / candidates,
        "postgres_rows": (_rows_written(engine) - written) / candidates,
        "saving_searcher_cpu_us": 1e6 * own_s / candidates,
    }


def _prepare(service: Service, run: RepairRun) -> None:
    with judging_here(service, run):
        pass


def _postgres_s(postgres: PostgresServer, action: Callable[[], object]) -> float:
    """CPU seconds that the server's processes use meanwhile."""
    before = {pid: cpu_s([pid]) for pid in _processes(postgres)}
    action()
    return sum(cpu_s([pid]) - before.get(pid, 0.0) for pid in _processes(postgres))


def _processes(postgres: PostgresServer) -> set[int]:
    return {postgres.pid, *descendants(postgres.pid)}


def _redis_s(client: redis_library.Redis) -> float:
    spent = client.info("cpu")
    return float(spent["used_cpu_user"]) + float(spent["used_cpu_sys"])


def _bytes(client: redis_library.Redis) -> int:
    stats = client.info("stats")
    return int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"])


def _connections(engine: Engine) -> int:
    return _number(engine, "SELECT count(*) FROM pg_stat_activity WHERE client_port > 0")


def _wal_bytes(engine: Engine) -> int:
    return _number(engine, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")


def _rows_written(engine: Engine) -> int:
    return _number(engine, "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")


def _number(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())
