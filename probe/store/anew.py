"""A store in; opinions, accounts, counts and cases of it made again, by all cores where that is much, out."""

import concurrent.futures
import gc
import os
import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, func, select, union

from probe.errors import StoreError
from probe.health.tally import EVERYBODY
from probe.store.counts import add_missing, read_missing
from probe.store.database import Database
from probe.store.judging import Range, judge_range, old_ranges, ranges
from probe.store.rebuild import rebuild_apart, rebuild_together
from probe.store.schema import account, call, redress, stale, tally
from probe.store.stale import ALL_STALE, read_stale, stale_among

Task = Callable[[Database, Any], None]
TellProgress = Callable[[str, int, int], None]
"""Takes what is done, how much of it, and of how much."""

# So many calls take longer than processes take to start.
_MUCH: Final = 20_000
_MOST_CALLERS: Final = 10_000  # parameters of one statement
# With a limit, even one that is never met, processes are spawned and not forked: no connection goes into them.
_TASKS: Final = 2**31

_CALLERS: Final = union(
    *(select(table.c.caller).where(table.c.caller != EVERYBODY) for table in (call, account, tally, redress, stale))
)
_STALE_CALLS: Final = select(call.c.id).where(call.c.caller.in_(ALL_STALE)).limit(_MUCH).subquery()

# In a process that helps: the store.
_opened: list[Database] = []


def rebuild_all(database: Database, tell_progress: TellProgress) -> None:
    """Judge every call again, and add up all of them again.

    What everybody's counts lack of the sum of all shares is added first: it is the same before and after, for whoever
    writes a share changes both alike, and in a store that has no shares yet there is nothing to read.
    """
    with database.reading() as connection:
        callers, missing = connection.execute(_CALLERS).scalars().all(), read_missing(connection)
    if missing:
        with database.writing() as connection:
            add_missing(connection, missing)
    parts = list(ranges(database))
    much = sum(part.calls for part in parts) >= _MUCH
    _make(database, partial(judge_range, old=False), parts, callers, tell_progress, much=much)


def make_current(database: Database, callers: Collection[str] | None) -> None:
    """Make again what is out of date of these callers, or of all."""
    with database.reading() as connection:
        found = read_stale(connection) if callers is None else sorted(stale_among(connection, callers))
        much = callers is None and _is_much(connection)
    parts = list(old_ranges(database)) if much else []
    _make(database, partial(judge_range, old=True), parts, found, _tell_nobody, much=much)


def _is_much(connection: Connection) -> bool:
    return connection.execute(select(func.count()).select_from(_STALE_CALLS)).scalar_one() == _MUCH


def _make(  # noqa: PLR0913 (what is judged how, whose calls are added up, who is told, and by whom)
    database: Database,
    judge: Callable[[Database, Range], None],
    parts: Sequence[Range],
    callers: Sequence[str],
    tell_progress: TellProgress,
    *,
    much: bool,
) -> None:
    """Judge first, in the order of the file, then add up, caller by caller.

    To judge caller by caller, too, would be to write opinions all over the file.
    """
    with _processes(database) if much else nullcontext(partial(_in_turn, database)) as work:
        _do(work(judge, parts), "calls judged", [part.calls for part in parts], tell_progress)
        shares = _shares(callers) if much else [[caller] for caller in callers]
        add_up = rebuild_together if much else _rebuild_alone
        _do(work(add_up, shares), "caller IDs added up", list(map(len, shares)), tell_progress)


def _rebuild_alone(database: Database, share: Sequence[str]) -> None:
    for caller in share:
        rebuild_apart(database, caller)


def _shares(callers: Sequence[str]) -> list[Sequence[str]]:
    """Deal callers out, one share for each core: a share takes a pass over all calls."""
    count = max(os.cpu_count() or 1, -(-len(callers) // _MOST_CALLERS))
    size = max(1, -(-len(callers) // count))
    return [callers[at : at + size] for at in range(0, len(callers), size)]


def _do(work: Iterable[None], what: str, sizes: Sequence[int], tell_progress: TellProgress) -> None:
    total, done = sum(sizes), 0
    for _, size in zip(work, sizes, strict=True):
        done += size
        tell_progress(what, done, total)


def _in_turn(database: Database, task: Task, items: Sequence[Any]) -> Iterator[None]:
    for item in items:
        task(database, item)
        yield


@contextmanager
def _processes(database: Database) -> Iterator[Callable[[Task, Sequence[Any]], Iterator[None]]]:
    """Give what lets a process for each core do a task for each item, in their order."""
    pool = concurrent.futures.ProcessPoolExecutor(
        os.cpu_count(), initializer=_open, initargs=(database.open_again,), max_tasks_per_child=_TASKS
    )
    try:
        yield lambda task, items: pool.map(partial(_in_process, task), items)
    except concurrent.futures.BrokenExecutor as error:
        raise StoreError(
            f"a process that added up calls of the store {database.name} died; see whether memory ran out, and repeat"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _open(open_again: Callable[[], Database]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the first one decides
    gc.disable()  # millions of values come and go, none in circles: to look for some takes a fifteenth of the time
    _opened.append(open_again())


def _in_process(task: Task, item: Any) -> None:  # noqa: ANN401 (whatever the task takes)
    task(_opened[0], item)


def _tell_nobody(_: str, __: int, ___: int) -> None:
    pass
