"""Calls of every kind, and what a store adds them up to, row by row: for the tests that compare the books."""

from datetime import timedelta

from placed import BLOCKED, START, SUSPECTED, answered, refused, unplaced
from sqlalchemy import select

from probe.call import Ending
from probe.store.counts import _read as read_share
from probe.store.schema import account, redress, share, stale, tally

CALLER, OTHER, CONTROL = CALLERS = ("+12025550101", "+12025550102", "+12025550100")
CALLEES = ("+12025550191", "+12025550192")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BOOKS = (account, tally, share, redress, stale)
KINDS = {
    "answered": answered,
    "busy": lambda **given: refused("486 Busy Here", **given),
    "blocked": lambda **given: refused(*BLOCKED, **given),
    "suspected": lambda **given: refused(*SUSPECTED, **given),
    "declined": lambda **given: refused("603 Decline", ms=9_000, rang_ms=500, **given),
    "ambiguous": lambda **given: refused("603 Decline", **given),
    "unwanted": lambda **given: refused("607 Unwanted", **given),
    "failed": lambda **given: unplaced(Ending.AGENT_FAILED, "no line", **given),
}


def a_call(number=0, kind="answered", **given):
    """The n-th call, a minute after the one before, with an id of its own."""
    ids = {"id": f"call-{number:03}", "plan_key": f"plan-{number}", "at": START + number * timedelta(minutes=1)}
    return KINDS[kind](**ids | given)


def books(store):
    """Every row of what calls add up to, as it stands; of everybody's shares, what each caller's add up to."""
    with store._database.reading() as connection:
        found = {table.name: connection.execute(select(table)).all() for table in BOOKS}
    found["share"] = sorted(shares(found["share"]).items())
    return {name: sorted(map(repr, rows)) for name, rows in found.items()}


def shares(rows):
    """What a caller's calls brought to everybody's counts, in whatever parts that is written."""
    total = {}
    for one in rows:
        for key, counts in read_share(one.body).items():
            known = total.setdefault((one.caller, *key), [0] * len(counts))
            total[one.caller, *key] = [a + b for a, b in zip(known, counts, strict=True)]
    return {key: counts for key, counts in total.items() if any(counts)}


def rebuilt(store):
    store.rebuild_all(lambda *_: None)
    return books(store)
