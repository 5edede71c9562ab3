"""Counts of calls in, rows of the tables out, and the way back.

Those that belong to everybody are added up over all callers, and with each caller stands its share of them, in parts:
so one caller's calls can be added up again without those of all others, and no row grows with every call.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, null, select, text, union_all

from probe.health import Dimension, Tallies, Tally
from probe.health.tally import EVERYBODY, Counts, summed
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
_SHARES: Final = select(share).where(share.c.caller.in_(bindparam("callers", expanding=True)))
_DROP_TALLIES: Final = delete(tally).where(tally.c.caller == bindparam("of_caller"))
_DROP_SHARE: Final = delete(share).where(share.c.caller == bindparam("of_caller"), share.c.part == bindparam("of_part"))
_NAMES: Final = ("calls", "blocked", "through", "declined", "quiet")
_DROP_EMPTY: Final = delete(tally).where(tally.c.caller == EVERYBODY, *(tally.c[name] == 0 for name in _NAMES))

# Both in one statement, so that they are of one moment.
_ALL_SHARES: Final = union_all(
    select(share.c.body, *(null() for _ in range(7))),
    select(null(), tally.c.dimension, tally.c.value, *(tally.c[name] for name in _NAMES)).where(
        tally.c.caller == EVERYBODY
    ),
)

Parts = dict[tuple[str, str], Counts]
"""Counts, apart by the caller that they come from, and by the name of a part: what no other part of theirs has."""


def parts_of(caller: str, tallies: Tallies) -> Parts:
    """Take all calls of a caller apart: its own counts, and its share of everybody's by their day (UTC)."""
    return {(caller, ""): tallies.of_callers()} | {
        (caller, day): counts for day, counts in tallies.of_everybody().items()
    }


def add_counts(connection: Connection, parts: Parts) -> None:
    """Add the counts of new calls to what is there."""
    take_turn(connection, Lock.EVERYBODY)
    _add(connection, summed(parts.values()))
    _add_shares(connection, {key: _written(counts) for key, counts in parts.items()})


def replace_counts(connection: Connection, callers: Mapping[str, Parts]) -> None:
    """Put the counts of all calls of these callers in the place of those that are there.

    Of their shares of everybody's only what differs is written: after a rebuild most of it stands as it stood.
    """
    take_turn(connection, Lock.EVERYBODY)
    parts = {key: counts for theirs in callers.values() for key, counts in theirs.items()}
    before = {(caller, part): body for caller, part, body in connection.execute(_SHARES, {"callers": list(callers)})}
    after = {key: body for key, counts in parts.items() if (body := _written(counts))}
    lost = {key: body for key, body in before.items() if after.get(key) != body}
    added = {key: body for key, body in after.items() if before.get(key) != body}
    execute_many(connection, _DROP_SHARE, [{"of_caller": caller, "of_part": part} for caller, part in lost])
    _add_shares(connection, added)
    execute_many(connection, _DROP_TALLIES, [{"of_caller": caller} for caller in callers])
    _add(connection, summed(counts for key, counts in parts.items() if key not in after))
    gone = {key: [-count for count in counts] for key, counts in summed(map(_read, lost.values())).items()}
    _add(connection, summed([gone, *(parts[key] for key in added)]))
    connection.execute(_DROP_EMPTY)


def read_missing(connection: Connection) -> Counts:
    """Give what everybody's counts lack of the sum of all shares: nothing, unless they were spoilt."""
    found = connection.execute(_ALL_SHARES, execution_options={"yield_per": 1_000})
    total = summed(_read(body) if body is not None else _lacking(*theirs) for body, *theirs in found)
    return {key: counts for key, counts in total.items() if any(counts)}


def _lacking(dimension: str, value: str, *counts: int) -> Counts:
    return {(EVERYBODY, _DIMENSIONS[dimension], value): [-count for count in counts]}


def add_missing(connection: Connection, missing: Counts) -> None:
    take_turn(connection, Lock.EVERYBODY)
    _add(connection, missing)
    connection.execute(_DROP_EMPTY)


def read_tallies(connection: Connection, callers: Collection[str] | None = None) -> Iterator[Tally]:
    """Read every count, or those of these callers and of everybody."""
    chosen = select(tally) if callers is None else select(tally).where(tally.c.caller.in_([EVERYBODY, *callers]))
    for caller, dimension, value, calls, blocked, through, declined, quiet in connection.execute(chosen).all():
        yield Tally(caller, _DIMENSIONS[dimension], value, calls, blocked, through, declined, quiet)


def _add(connection: Connection, counts: Counts) -> None:
    rows = [
        {"caller": caller, "dimension": dimension, "value": value, **dict(zip(_NAMES, found, strict=True))}
        for (caller, dimension, value), found in counts.items()
        if any(found)
    ]
    execute_many(connection, _ADD_TALLY, rows)


def _add_shares(connection: Connection, bodies: Mapping[tuple[str, str], str]) -> None:
    rows = [{"caller": caller, "part": part, "body": body} for (caller, part), body in bodies.items() if body]
    execute_many(connection, _ADD_SHARE, rows)


def _written(counts: Counts) -> str:
    found = [[*key[1:], *found] for key, found in counts.items() if key[0] == EVERYBODY]
    return _encode(found) if found else ""


def _read(body: str) -> Counts:
    return {(EVERYBODY, _DIMENSIONS[dimension], value): found for dimension, value, *found in json.loads(body)}
