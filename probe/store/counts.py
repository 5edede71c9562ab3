"""Counts of calls in, rows of the tables out, and the way back.

Those that belong to everybody are added up over all callers, and with each caller stands its share of them, in parts:
so one caller's calls can be added up again without those of all others, and no row grows with every call.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from operator import add
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, null, select, text, union_all

from probe.health import Dimension, Observation, Tallies, Tally
from probe.health.tally import EVERYBODY
from probe.store.locks import Lock, take_turn
from probe.store.many import execute_many
from probe.store.schema import share, tally

_encode = json.JSONEncoder(separators=(",", ":")).encode
_DIMENSIONS: Final = {one.value: one for one in Dimension}

# Both SQLite and PostgreSQL take these forms.
_ADD_TALLY: Final = text(
    "INSERT INTO tally (caller, dimension, value, calls, blocked, through, declined, quiet) "
    "VALUES (:caller, :dimension, :value, :calls, :blocked, :through, :declined, :quiet) "
    "ON CONFLICT (caller, dimension, value) DO UPDATE SET calls = tally.calls + excluded.calls, "
    "blocked = tally.blocked + excluded.blocked, through = tally.through + excluded.through, "
    "declined = tally.declined + excluded.declined, quiet = tally.quiet + excluded.quiet"
).bindparams(bindparam("value", type_=tally.c.value.type))
_ADD_SHARE: Final = insert(share)
_SHARES: Final = select(share.c.body).where(share.c.caller == bindparam("caller"))
_DROP_TALLIES: Final = delete(tally).where(tally.c.caller == bindparam("of_caller"))
_DROP_SHARES: Final = delete(share).where(share.c.caller == bindparam("of_caller"))
_NAMES: Final = ("calls", "blocked", "through", "declined", "quiet")
_DROP_EMPTY: Final = delete(tally).where(tally.c.caller == EVERYBODY, *(tally.c[name] == 0 for name in _NAMES))

# Both in one statement, so that they are of one moment.
_ALL_SHARES: Final = union_all(
    select(share.c.body, *(null() for _ in range(7))),
    select(null(), tally.c.dimension, tally.c.value, *(tally.c[name] for name in _NAMES)).where(
        tally.c.caller == EVERYBODY
    ),
)

Counts = dict[tuple[str, Dimension, str], list[int]]
"""Numbers of calls by caller, dimension and value, as `Tallies` has them."""
Parts = dict[tuple[str, str], Tallies]
"""Counts, apart by the caller that they come from, and by the name of a part: what no other part of theirs has."""


class AllOf:
    """Adds up all calls of a caller: everybody's counts apart by their day (UTC), which are the parts of its share."""

    def __init__(self, caller: str) -> None:
        self._caller, self._own = caller, Tallies()
        self.parts: Parts = {(caller, ""): self._own}

    def add(self, call: Observation) -> None:
        self._own.add_to_caller(call)
        self._of_day(call).add_to_everybody(call)

    def settle(self, refused: Observation, control: Observation) -> None:
        self._own.settle_for_caller(refused, control)
        self._of_day(refused).settle_for_everybody(refused, control)

    def _of_day(self, call: Observation) -> Tallies:
        key = self._caller, call.started_at.date().isoformat()
        found = self.parts.get(key)
        if found is None:
            found = self.parts[key] = Tallies()
        return found


def add_counts(connection: Connection, parts: Parts) -> None:
    """Add the counts of new calls to what is there."""
    take_turn(connection, Lock.EVERYBODY)
    _add(connection, _summed(tallies.counts for tallies in parts.values()))
    _add_shares(connection, parts)


def replace_counts(connection: Connection, caller: str, parts: Parts) -> None:
    """Put the counts of all calls of a caller in the place of those that are there."""
    take_turn(connection, Lock.EVERYBODY)
    before = _summed(map(_read, connection.execute(_SHARES, {"caller": caller}).scalars()))
    lost = {key: [-count for count in counts] for key, counts in before.items()}
    for statement in (_DROP_TALLIES, _DROP_SHARES):
        connection.execute(statement, {"of_caller": caller})
    _add_shares(connection, parts)
    _add(connection, _summed([lost, *(tallies.counts for tallies in parts.values())]))
    connection.execute(_DROP_EMPTY)


def read_missing(connection: Connection) -> Counts:
    """Give what everybody's counts lack of the sum of all shares: nothing, unless they were spoilt."""
    total: Counts = {}
    for body, dimension, value, *counts in connection.execute(_ALL_SHARES, execution_options={"yield_per": 1_000}):
        found = (
            {(EVERYBODY, Dimension(dimension), value): [-count for count in counts]} if body is None else _read(body)
        )
        _sum(total, found)
    return {key: counts for key, counts in total.items() if any(counts)}


def add_missing(connection: Connection, missing: Counts) -> None:
    take_turn(connection, Lock.EVERYBODY)
    _add(connection, missing)
    connection.execute(_DROP_EMPTY)


def read_tallies(connection: Connection, callers: Collection[str] | None = None) -> Iterator[Tally]:
    """Read every count, or those of these callers and of everybody."""
    chosen = select(tally) if callers is None else select(tally).where(tally.c.caller.in_([EVERYBODY, *callers]))
    for caller, dimension, value, calls, blocked, through, declined, quiet in connection.execute(chosen).all():
        yield Tally(caller, _DIMENSIONS[dimension], value, calls, blocked, through, declined, quiet)


def _summed(several: Iterable[Counts]) -> Counts:
    total: Counts = {}
    for counts in several:
        _sum(total, counts)
    return total


def _sum(total: Counts, more: Counts) -> None:
    for key, counts in more.items():
        known = total.get(key)
        total[key] = counts if known is None else list(map(add, known, counts))


def _add(connection: Connection, counts: Counts) -> None:
    rows = [
        {"caller": caller, "dimension": dimension, "value": value, **dict(zip(_NAMES, found, strict=True))}
        for (caller, dimension, value), found in counts.items()
        if any(found)
    ]
    execute_many(connection, _ADD_TALLY, rows)


def _add_shares(connection: Connection, parts: Parts) -> None:
    rows = [
        {"caller": caller, "part": part, "body": body}
        for (caller, part), tallies in parts.items()
        if (body := _written(tallies.counts))
    ]
    execute_many(connection, _ADD_SHARE, rows)


def _written(counts: Counts) -> str:
    found = [[*key[1:], *found] for key, found in counts.items() if key[0] == EVERYBODY]
    return _encode(found) if found else ""


def _read(body: str) -> Counts:
    counts: Counts = {}
    for dimension, value, *found in json.loads(body):
        _sum(counts, {(EVERYBODY, _DIMENSIONS[dimension], value): found})
    return counts
