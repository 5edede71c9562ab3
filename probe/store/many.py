"""A statement and many rows in; the statement run for each of them, with as little work a row as the driver allows.

SQLAlchemy makes the parameters of each row anew from the statement, which takes longer than the database takes to write
them. Here the order and the types of the parameters are found once a statement.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import Executable

_STATEMENTS = 64


class _Compiled(NamedTuple):
    """The text of a statement, and its parameters in their order, with what makes a database's value of each."""

    text: str
    parameters: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    by_name: bool


def execute_many(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run an INSERT, UPDATE or DELETE for each row; all rows have the same names."""
    if not rows:
        return
    compiled = _compiled(statement, connection.dialect, tuple(rows[0]))
    if compiled.by_name:
        named = [{name: make(row[name]) if make else row[name] for name, make in compiled.parameters} for row in rows]
        connection.exec_driver_sql(compiled.text, named)
        return
    values = [tuple([make(row[name]) if make else row[name] for name, make in compiled.parameters]) for row in rows]
    connection.exec_driver_sql(compiled.text, values)


@lru_cache(maxsize=_STATEMENTS)
def _compiled(statement: Executable, dialect: Dialect, names: tuple[str, ...]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined] # all that are executed here have it
    assert isinstance(compiled, SQLCompiler)
    parameters = tuple(
        (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in compiled.positiontup or compiled.binds
    )
    return _Compiled(text=str(compiled), parameters=parameters, by_name=compiled.positiontup is None)
