"""A store as an older schema had it, filled without today's code; by now it is history what that one wrote."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Connection, MetaData, Table, create_engine

from probe.store import schema


def make(url: str, revision: str, *rows: tuple[str, dict[str, object]]) -> None:
    """Make the tables that a revision had, and write rows into them; what had no column yet is left out."""
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        tables: dict[str, Table] = {}
        for name, row in rows:
            table = tables.get(name)
            if table is None:
                table = tables[name] = _reflect(connection, name)
            known = {column: value for column, value in row.items() if column in table.c}
            connection.execute(table.insert().values(known))
    engine.dispose()


def _reflect(connection: Connection, name: str) -> Table:
    table = Table(name, MetaData(), autoload_with=connection)
    for column in table.c:
        if isinstance(column.type, JSON):
            column.type = JSON(none_as_null=True)
    return table
