"""The beginning of an id in, the one row out."""

from typing import Any

from sqlalchemy import Connection, Row, Table, select

from probe.errors import StoreError


def find_one(connection: Connection, table: Table, prefix: str) -> Row[Any]:
    """Give the row whose id is, or alone begins with, this text. Raises StoreError for none and for several."""
    whole = connection.execute(select(table).where(table.c.id == prefix)).one_or_none()
    if whole is not None:
        return whole
    similar = select(table).where(table.c.id.startswith(prefix, autoescape=True)).limit(2)
    found = connection.execute(similar).all()
    if not found:
        raise StoreError(f"no {table.name} has an id that begins with {prefix!r}; list them to see the ids")
    if len(found) > 1:
        raise StoreError(f"more than one {table.name} has an id that begins with {prefix!r}; give more of the id")
    return found[0]
