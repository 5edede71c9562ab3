"""An engine in, transactions out; what goes wrong in one comes out as a StoreError in words."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from sqlalchemy import Connection, Engine

from probe.store.trouble import in_words

# SQLite reads one moment by nature; its writers are told apart when they begin (`probe.store.opening`).
_READING: Final[dict[str, dict[str, Any]]] = {"postgresql": {"isolation_level": "REPEATABLE READ"}}
# Each statement sees what others committed before it: so it does after a lock was waited for.
_WRITING: Final[dict[str, dict[str, Any]]] = {"postgresql": {"isolation_level": "READ COMMITTED"}}


class Database:
    """Short transactions on one store, each on a connection of its own, from any thread.

    `open_again` opens the same store in another process.
    """

    def __init__(self, engine: Engine, name: str, open_again: "Callable[[], Database]") -> None:
        self.engine = engine
        self.name = name
        self.open_again = open_again
        kind = engine.dialect.name
        self._reader = engine.execution_options(**_READING.get(kind, {}))
        self._writer = engine.execution_options(writes=True, **_WRITING.get(kind, {}))
        # SQLite has one writer at a time, and those who wait for it sleep: some for seconds, by bad luck. Threads of
        # one process can queue better than that.
        alone = kind == "sqlite"
        self._turn: AbstractContextManager[object] = threading.Lock() if alone else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the store."""
        with in_words(self.name), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are on the disk when the block ends, all or none."""
        with in_words(self.name), self._turn, self._writer.begin() as connection:
            yield connection
