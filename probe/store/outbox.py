"""Events in, written with the fact that caused them; their deliveries out, one at a time, until they are taken."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, delete, exists, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from probe.event import Delivery, DeliveryState, Event
from probe.store import rows
from probe.store.database import Database
from probe.store.locks import Lock, take_turn
from probe.store.lookup import find_one
from probe.store.schema import delivery, endpoint, event

_BATCH = 100


def queue(connection: Connection, events: Sequence[tuple[Event, str]]) -> None:
    """Write events for endpoints in the caller's transaction; one for a disabled endpoint is dead until a replay."""
    for one, name in events:
        disabled = connection.execute(select(endpoint.c.why).where(endpoint.c.name == name)).scalar()
        row = {
            "event_seq": _event_seq(connection, one),
            "endpoint": name,
            "state": DeliveryState.DEAD.value if disabled else DeliveryState.WAITING.value,
            "attempts": 0,
            "ended_at": one.timestamp if disabled else None,
            "reason": disabled,
        }
        connection.execute(insert(delivery).values(row))


def _event_seq(connection: Connection, one: Event) -> int:
    """Write an event, unless it is there already for another endpoint."""
    found = connection.execute(select(event.c.seq).where(event.c.id == one.id)).scalar()
    if found is None:
        found = connection.execute(insert(event).values(rows.event_row(one)).returning(event.c.seq)).scalar_one()
    return int(found)


class Outbox:
    """Deliveries that wait, were taken, or were given up. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pending(self, endpoint: str, now: datetime) -> tuple[Delivery, ...]:
        """Give what may be posted now, oldest first, at most a hundred; of each subject only its oldest."""
        due = or_(delivery.c.next_try_at.is_(None), delivery.c.next_try_at <= now)
        free = or_(delivery.c.claimed_until.is_(None), delivery.c.claimed_until <= now)
        chosen = _deliveries().where(_waits_at(endpoint), due, free, ~_earlier_waits()).order_by(delivery.c.event_seq)
        with self._database.reading() as connection:
            return tuple(map(rows.read_delivery, connection.execute(chosen.limit(_BATCH))))

    def waiting(self, endpoint: str) -> int:
        """Count what waits, due or not."""
        with self._database.reading() as connection:
            chosen = select(func.count()).select_from(delivery).where(_waits_at(endpoint))
            return connection.execute(chosen).scalar_one()

    def claim(self, waiting: Delivery, now: datetime, until: datetime) -> Delivery | None:
        """Take a delivery for oneself, counting the attempt; None when another process was there first.

        The claim ends at `until`, so that a process that dies with it does not keep the event.
        """
        free = or_(delivery.c.claimed_until.is_(None), delivery.c.claimed_until <= now)
        claimed = update(delivery).where(_is_still(waiting), free)
        changes = {"attempts": waiting.attempts + 1, "claimed_until": until}
        chosen = _deliveries().where(_is_row(waiting))
        with self._database.writing() as connection:
            if not connection.execute(claimed.values(changes)).rowcount:
                return None
            return rows.read_delivery(connection.execute(chosen).one())

    def mark_delivered(self, claimed: Delivery, now: datetime) -> None:
        """Note that the receiver took it; this holds even when the claim has run out meanwhile."""
        changes = {"state": DeliveryState.DELIVERED.value, "ended_at": now, "claimed_until": None, "reason": None}
        with self._database.writing() as connection:
            connection.execute(update(delivery).where(_is_row(claimed)).values(changes | {"next_try_at": None}))

    def mark_failed(self, claimed: Delivery, now: datetime, next_try_at: datetime | None, reason: str) -> None:
        """Note why it was not taken; without a next try it is given up. Nothing happens when the claim was lost."""
        state = DeliveryState.WAITING if next_try_at else DeliveryState.DEAD
        changes = {
            "state": state.value,
            "next_try_at": next_try_at,
            "ended_at": None if next_try_at else now,
            "claimed_until": None,
            "reason": reason,
        }
        with self._database.writing() as connection:
            connection.execute(update(delivery).where(_is_still(claimed)).values(changes))

    def disable_endpoint(self, name: str, why: str, now: datetime) -> None:
        """Send nothing more there: what waits is given up, what comes later is dead on arrival, until a replay."""
        given_up = {"state": DeliveryState.DEAD.value, "ended_at": now, "claimed_until": None, "reason": why}
        with self._database.writing() as connection:
            take_turn(connection, Lock.ENDPOINTS)
            connection.execute(delete(endpoint).where(endpoint.c.name == name))
            connection.execute(insert(endpoint).values(name=name, disabled_at=now, why=why))
            connection.execute(update(delivery).where(_waits_at(name)).values(given_up | {"next_try_at": None}))

    def endpoint_disabled(self, name: str) -> str | None:
        """Say why nothing is sent to an endpoint any more, or None where all is well."""
        with self._database.reading() as connection:
            return connection.execute(select(endpoint.c.why).where(endpoint.c.name == name)).scalar()

    def deliveries(
        self, *, endpoint: str | None = None, state: DeliveryState | None = None, limit: int | None = None
    ) -> tuple[Delivery, ...]:
        """Give deliveries, the newest event first."""
        chosen = _deliveries().order_by(event.c.seq.desc(), delivery.c.endpoint).limit(limit)
        if endpoint is not None:
            chosen = chosen.where(delivery.c.endpoint == endpoint)
        if state is not None:
            chosen = chosen.where(delivery.c.state == state.value)
        with self._database.reading() as connection:
            return tuple(map(rows.read_delivery, connection.execute(chosen)))

    def event(self, id_prefix: str) -> Event:
        """Give the event whose id is, or alone begins with, this text. Raises StoreError otherwise."""
        with self._database.reading() as connection:
            return rows.read_event(find_one(connection, event, id_prefix))

    def requeue(self, event_ids: Iterable[str]) -> int:
        """Let deliveries of these events wait again, with the same ids, and say how many.

        Asking for it by hand also enables the endpoint again, if a 410 had disabled it.
        """
        ids = tuple(event_ids)
        with self._database.writing() as connection:
            take_turn(connection, Lock.ENDPOINTS)
            return sum(_requeue(connection, ids[at : at + _BATCH]) for at in range(0, len(ids), _BATCH))


def _requeue(connection: Connection, event_ids: Sequence[str]) -> int:
    theirs = delivery.c.event_seq.in_(select(event.c.seq).where(event.c.id.in_(event_ids)))
    again = {"state": DeliveryState.WAITING.value, "attempts": 0, "reason": None, "ended_at": None}
    empty = {"next_try_at": None, "claimed_until": None}
    connection.execute(delete(endpoint).where(endpoint.c.name.in_(select(delivery.c.endpoint).where(theirs))))
    return connection.execute(update(delivery).where(theirs).values(again | empty)).rowcount


def _deliveries() -> Select[tuple[object, ...]]:
    return select(delivery, event).join(event, delivery.c.event_seq == event.c.seq)


def _waits_at(name: str) -> ColumnElement[bool]:
    return (delivery.c.endpoint == name) & (delivery.c.state == DeliveryState.WAITING.value)


def _is_row(one: Delivery) -> ColumnElement[bool]:
    seq = select(event.c.seq).where(event.c.id == one.event.id).scalar_subquery()
    return (delivery.c.event_seq == seq) & (delivery.c.endpoint == one.endpoint)


def _is_still(one: Delivery) -> ColumnElement[bool]:
    """Match the row only as it was seen: the count of attempts tells whether another process took it meanwhile."""
    return _is_row(one) & (delivery.c.state == DeliveryState.WAITING.value) & (delivery.c.attempts == one.attempts)


def _earlier_waits() -> ColumnElement[bool]:
    """Match a delivery behind which an earlier one of the same subject still waits for the same endpoint."""
    other, its_event = delivery.alias(), event.alias()
    return exists().where(
        other.c.endpoint == delivery.c.endpoint,
        other.c.state == DeliveryState.WAITING.value,
        other.c.event_seq < delivery.c.event_seq,
        other.c.event_seq == its_event.c.seq,
        its_event.c.subject == event.c.subject,
    )
