"""What went wrong with the daemon's clock in, the same out again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from probe.store.schema import incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A tick that came late, overlapped another, or failed; `at` is when it should have come."""

    kind: str
    at: datetime
    recorded_at: datetime


def write_incident(connection: Connection, new: Incident) -> None:
    connection.execute(insert(incident).values(kind=new.kind, at=new.at, recorded_at=new.recorded_at))


def read_incidents(connection: Connection, since: datetime) -> tuple[Incident, ...]:
    """Read what was recorded since then, the newest first."""
    chosen = select(incident).where(incident.c.recorded_at >= since).order_by(incident.c.seq.desc())
    found = connection.execute(chosen)
    return tuple(Incident(kind=row.kind, at=row.at, recorded_at=row.recorded_at) for row in found)
