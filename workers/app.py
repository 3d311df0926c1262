"""The Celery application: how messages travel. Nothing in them but the ids of runs."""

from __future__ import annotations

from celery import Celery

from apr.core.errors import BadInputError
from apr.settings import AppSettings

RUNS, VALIDATION = QUEUES = ("runs", "validation")
URGENCIES = 10
VISIBLE_AFTER_S = 12 * 3600
"""When Redis gives a message to another worker that was taken and never acknowledged. Late is
right: runs are long, and those of a lost worker come back by their lease, not by their message."""


def make_app(settings: AppSettings) -> Celery:
    """The application on the configured broker; nothing connects yet.

    Raises:
        BadInputError: when no broker is configured.
    """
    if settings.broker_url is None:
        raise BadInputError("there is no broker: set APR_BROKER_URL, to redis://host/0 for example")
    app = Celery("apr", broker=settings.broker_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=5,
        broker_transport_options=_transport_options(settings.broker_url.get_secret_value()),
        task_acks_late=True,
        task_create_missing_queues=True,
        task_default_queue=RUNS,
        task_ignore_result=True,
        task_queue_max_priority=URGENCIES - 1,
        task_reject_on_worker_lost=True,
        task_time_limit=settings.task_limit_s,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
    )
    return app


def is_redis(url: str) -> bool:
    """Whether the broker is Redis, in which the lowest priority is served first."""
    return url.startswith(("redis:", "rediss:"))


def _transport_options(url: str) -> dict[str, object]:
    if not is_redis(url):
        return {}
    return {
        "visibility_timeout": VISIBLE_AFTER_S,
        "priority_steps": list(range(URGENCIES)),
        "queue_order_strategy": "priority",
        "socket_keepalive": True,
        "socket_connect_timeout": 5,
        "socket_timeout": 15,
        "health_check_interval": 10,
    }
