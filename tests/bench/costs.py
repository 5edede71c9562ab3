"""What a call costs on the road: processor time, bytes stored, statements and commits of the database.

The far end is a SIPp that answers 603 at once; each call is recorded and judged in SQLite.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, event

from probe.agent.build import ask_build
from tests.bench import native
from tests.bench.figure import Figure

CALLS = 5_000
A_DAY = 100_000  # of a site, where ten share a million


def measure() -> Iterator[Figure]:
    """Give the costs of a call, beside those of the day of a site, where ten share a million calls."""
    sizes, counted = native.sizes_for(ask_build()), Counter[str]()
    with native._far_end("refuse", CALLS) as port, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "probe.db"
        with _counting(counted):
            done = asyncio.run(native._round(port, CALLS, sizes.lines, f"sqlite:///{file}"))
        stored = file.stat().st_size
    for what, value, unit in (
        ("processor time, our processes", done.cpu_s * 1000, "ms"),
        ("stored", stored / 1000, "kB"),
        ("statements", float(counted["statements"]), "-"),
        ("commits", float(counted["commits"]), "-"),
    ):
        yield Figure(
            what=f"a call, {sizes.lines} at once: {what}",
            value=value / CALLS,
            unit=unit,
            beside=f"{A_DAY:,} calls",
            other=value / CALLS * A_DAY,
            wanted="",
        )


class _counting:  # noqa: N801 - reads as what it does
    """Count what goes to the database, of whatever engine, while this lasts."""

    def __init__(self, counted: Counter[str]) -> None:
        self._counted = counted

    def __enter__(self) -> None:
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._commit)

    def __exit__(self, *_: object) -> None:
        event.remove(Engine, "before_cursor_execute", self._statement)
        event.remove(Engine, "commit", self._commit)

    def _statement(self, *_: object) -> None:
        self._counted["statements"] += 1

    def _commit(self, *_: object) -> None:
        self._counted["commits"] += 1
