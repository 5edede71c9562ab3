"""`probe import`: calls that others placed, judged like our own, kept apart from them in every limit."""

import argparse
import json
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from probe.cli.batch import Batch
from probe.cli.history import open_history
from probe.cli.main import FINE, USAGE
from probe.cli.outside import now, print_json, say, tell
from probe.errors import ScenarioError, StoreError
from probe.importing import read_cells
from probe.report.text import plain
from probe.store import Store

_STDIN = "-"
_AHEAD = timedelta(days=1)  # clocks differ, but not by more
_NAMED = 100
_QUIET_S = 2.0
_TOLD_EVERY_S = 5.0
# Whoever waits for SQLite's lock looks for it every 100 ms. Between two transactions there is less time than that, so
# a daemon on the same store could wait until it gives up.
_WORKS_S, _RESTS_S = 3.0, 0.11


@dataclass(slots=True)
class _Done:
    """What has become of the rows so far."""

    file: str
    unit: str = "line"
    rows: int = 0
    imported: int = 0
    already: int = 0
    bad: int = 0
    ignored: list[str] = field(default_factory=list)
    failed: str | None = None

    def add(self, batch: Batch, imported: int) -> None:
        self.rows += batch.rows
        self.imported += imported
        self.already += len(batch.calls) - imported
        self.bad += len(batch.bad)
        self.ignored += [one.column for one in batch.ignored]
        self.failed = batch.failed


def run(arguments: argparse.Namespace) -> int:
    """Read a file to its end: the good rows stand in the store, the bad ones are named."""
    if arguments.pcap and shutil.which("tshark") is None:
        raise ScenarioError("--pcap needs tshark, which is not installed; install it (Debian: apt-get install tshark).")
    network = _network(arguments.network)
    name = "stdin" if arguments.file == _STDIN else plain(Path(arguments.file).name)
    done = _Done(name, "packet" if arguments.pcap else "line")
    asked = {"name": done.file, "network": network, "latest": (now() + _AHEAD).isoformat(), "pcap": arguments.pcap}
    with _opened(arguments.file) as file:
        store = open_history(arguments)
        try:
            with _reader(file, asked) as output:
                _import(output, store, done)
        finally:
            store.close()
    if done.failed and not done.rows:
        raise ScenarioError(f"{done.file} {done.failed}")
    _tell_result(done, as_json=arguments.json)
    return USAGE if done.bad or done.failed else FINE


@contextmanager
def _reader(file: IO[bytes] | None, asked: dict[str, Any]) -> Iterator[IO[bytes]]:
    """Start the process that reads and judges, and give its output."""
    command = [sys.executable, "-m", "probe.cli.reader", json.dumps(asked)]
    with subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


class _Pace:
    """Says from time to time how far it has come, and lets others write."""

    def __init__(self) -> None:
        self._rested = time.monotonic()
        self._next_word = self._rested + _QUIET_S
        self.spoke = False

    def keep(self, done: _Done) -> None:
        """Do what is due between two batches."""
        if time.monotonic() >= self._next_word:
            self.spoke, self._next_word = True, time.monotonic() + _TOLD_EVERY_S
            say(f"{done.rows:,} rows read")
        if time.monotonic() >= self._rested + _WORKS_S:
            time.sleep(_RESTS_S)
            self._rested = time.monotonic()


def _import(output: IO[bytes], store: Store, done: _Done) -> None:
    pace = _Pace()
    for batch in _batches(output, done.file):
        imported = store.add_imported(batch.calls)
        _tell_remarks(done, batch)
        done.add(batch, imported)
        if not batch.last:
            pace.keep(done)
    if pace.spoke:
        say(f"{done.rows:,} rows read, {_counted(done.imported, 'call')} imported; adding them up")
    _add_up(store, done)


def _batches(output: IO[bytes], name: str) -> Iterator[Batch]:
    last = False
    while not last:
        try:
            batch: Batch = pickle.load(output)  # noqa: S301 - our own process writes it
        except (EOFError, pickle.UnpicklingError) as error:
            raise StoreError(
                f"the process that reads {name} died; what it had read stands in the store, so import the file again"
            ) from error
        yield batch
        last = batch.last


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes] | None]:
    """Open the file; None stands for stdin, which the process that reads inherits."""
    if path == _STDIN:
        yield None
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below; errors of the block are not those of opening
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read ({error.strerror}); give a file, or - for stdin.") from error
    with file:
        yield file


def _network(text: str | None) -> str | None:
    try:
        network: str | None = read_cells({"network": text}).get("network")
    except ValueError as error:
        raise ScenarioError(f"--{error}") from error
    return network


def _add_up(store: Store, done: _Done) -> None:
    """Add up what is new, unless a daemon does, which also tells of what that changed."""
    if store.holder(now()) is None:
        store.make_current()
    elif done.imported:
        say("The daemon of this store adds up the calls of its own caller IDs, and tells of what they change.")


def _tell_remarks(done: _Done, batch: Batch) -> None:
    for column in batch.ignored:
        near = f"; did you mean {column.near}?" if column.near else "."
        say(f"{done.file}: the column {plain(column.column)!a} means nothing here and is ignored{near}")
    for row in batch.bad[: max(0, _NAMED - done.bad)]:
        say(f"{done.file} {done.unit} {row.line}: {plain(row.sentence)}")


def _tell_result(done: _Done, *, as_json: bool) -> None:
    if done.bad > _NAMED:
        say(f"{done.file}: {_counted(done.bad - _NAMED, 'more bad row')}.")
    if done.failed:
        say(f"{done.file} {plain(done.failed)} What was read before that stands.")
    if as_json:
        document = {name: getattr(done, name) for name in ("file", "rows", "imported", "already", "bad", "ignored")}
        print_json(document)
        return
    parts = [f"{_counted(done.imported, 'call')} imported"]
    parts += [f"{done.already:,} there already"] if done.already else []
    parts += [f"{_counted(done.bad, 'bad row')} left out"] if done.bad else []
    tell(f"{done.file}: {', '.join(parts)}.")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
