"""Jobs that wake workers, in queues on the PostgreSQL that holds the ledger. The one file that knows Procrastinate.

A job says no more than "look into the ledger". So nothing hangs on it: one that is lost is made up for by the next
look, and one that runs twice finds nothing. A job is never tried again; what a dead worker leaves is closed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import procrastinate
import psycopg
import psycopg_pool
from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException
from procrastinate.jobs import Status
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, text

from probe.errors import StoreError

_LOOK: Final = "look"
# A queue's name is part of the name of a channel, and PostgreSQL has room for 63 bytes.
_LONGEST: Final = 63 - len("procrastinate_queue_v1#")
_HEARTBEAT_S: Final = 5.0
_DEAD_S: Final = 30.0
_POLL_S: Final = 5.0
_CLOSE_EVERY_S: Final = 10.0
_AGAIN_S: Final = 1.0
_KEEP_HOURS: Final = 24
# Whatever the server's default is: Procrastinate is written for this one.
_SESSION: Final = "-c default_transaction_isolation=read\\ committed"

_WAITING: Final = text("SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :name AND status = 'todo' FOR UPDATE")
_TABLES: Final = text("SELECT to_regclass('procrastinate_jobs')")
# The functions that this version of Procrastinate calls.
_FUNCTIONS: Final = text(
    "SELECT to_regproc('procrastinate_fetch_job_v2') IS NOT NULL"
    " AND to_regproc('procrastinate_defer_jobs_v1') IS NOT NULL"
)
_COUNTS: Final = text("SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2 ORDER BY 1, 2")

# They log whatever fails, and what fails is told by `OnError`.
for _library in ("procrastinate", "psycopg", "psycopg.pool"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)

_deferring = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

# The name of a queue in; ready when the ledger was looked into.
OnWake = Callable[[str], Awaitable[None]]
OnError = Callable[[BaseException], None]


def queue_of(site: str, trunk: str) -> str:
    """Name the queue of a trunk of a site: `site.trunk`, or its beginning and a digest where that is too long."""
    name = f"{site}.{trunk}"
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}~{sha256(name.encode()).hexdigest()[:8]}"


def make_ready(connection: Connection) -> None:
    """Make the tables of the queues where they are missing. StoreError where another version made them."""
    raw = _raw(connection)
    if connection.execute(_TABLES).scalar() is None:
        raw.execute(SchemaManager.get_schema())
    elif not connection.execute(_FUNCTIONS).scalar():
        raise StoreError(
            "the queues in this database were made by another version of Procrastinate than "
            f"{procrastinate.__version__}; bring them up to date as its manual says, or install that version"
        )


def wake(connection: Connection, queues: Collection[tuple[str, str]]) -> None:
    """Defer a job for each site and trunk, in the transaction of the connection; one that waits already will do.

    Such a one is locked until the transaction ends: nobody fetches it before there is something to be found.
    """
    for site, trunk in queues:
        name = queue_of(site, trunk)
        if connection.execute(_WAITING, {"name": name}).first() is None:
            with suppress(AlreadyEnqueued):  # by another, in this very moment
                _defer(connection, name)


def _defer(connection: Connection, name: str) -> None:
    try:
        with connection.begin_nested():
            _deferring.configure_task(_LOOK, queue=name, queueing_lock=name, connection=_raw(connection)).defer()
    except AlreadyEnqueued:
        raise
    except ProcrastinateException as error:
        raise StoreError(f"no worker can be woken ({_reason(error)}); check the database that --store names") from error


def count_jobs(connection: Connection) -> dict[str, dict[str, int]]:
    """Count the jobs of each queue by status; none where no worker ever was."""
    if connection.execute(_TABLES).scalar() is None:
        return {}
    counts: dict[str, dict[str, int]] = {}
    for queue, status, count in connection.execute(_COUNTS):
        counts.setdefault(queue, {})[status] = count
    return counts


async def listen(conninfo: str, queues: Collection[str], on_wake: OnWake, on_error: OnError) -> None:
    """Run the jobs of these queues, until cancelled; a database that is away is asked again until it is back."""
    while True:
        try:
            await _listen_once(conninfo, queues, on_wake, on_error)
        except (ProcrastinateException, psycopg.Error, psycopg_pool.PoolTimeout, OSError) as error:
            on_error(StoreError(f"nobody wakes this worker ({_reason(error)}); check the database that --store names"))
        await asyncio.sleep(_AGAIN_S)


async def _listen_once(conninfo: str, queues: Collection[str], on_wake: OnWake, on_error: OnError) -> None:
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=conninfo, min_size=1, max_size=3, timeout=_DEAD_S, kwargs={"options": _SESSION}
        )
    )

    async def look(context: procrastinate.JobContext) -> None:
        await on_wake(context.job.queue)

    app.task(name=_LOOK, pass_context=True, retry=False)(look)
    async with app.open_async():
        closing = asyncio.create_task(_close_what_the_dead_left(app, queues, on_wake, on_error))
        try:
            # It returns when its connection is lost.
            await app.run_worker_async(
                queues=list(queues),
                concurrency=2 * len(queues),
                install_signal_handlers=False,
                delete_jobs="successful",
                fetch_job_polling_interval=_POLL_S,
                update_heartbeat_interval=_HEARTBEAT_S,
                stalled_worker_timeout=_DEAD_S,
            )
        finally:
            closing.cancel()


async def _close_what_the_dead_left(
    app: procrastinate.App, queues: Collection[str], on_wake: OnWake, on_error: OnError
) -> None:
    """Close the jobs of workers that are silent, which Procrastinate would leave as they are, and look instead."""
    jobs = app.job_manager
    while True:
        try:
            for job in await jobs.get_stalled_jobs(task_name=_LOOK, seconds_since_heartbeat=_DEAD_S):
                await jobs.finish_job(job, status=Status.FAILED, delete_job=False)
                if job.queue in queues:
                    await on_wake(job.queue)
            await jobs.prune_stalled_workers(_DEAD_S)
            await jobs.delete_old_jobs(_KEEP_HOURS, include_failed=True, include_aborted=True)
        except (ProcrastinateException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
            on_error(StoreError(f"jobs of dead workers cannot be closed ({_reason(error)}); this is tried again"))
        await asyncio.sleep(_CLOSE_EVERY_S)


def _reason(error: BaseException) -> str:
    """Give the words of the database, where Procrastinate has none of its own."""
    return " ".join(str(error.__cause__ or error).split())


def _raw(connection: Connection) -> Any:  # noqa: ANN401 - psycopg's connection, as Procrastinate wants it
    return connection.connection.driver_connection
