"""The simulator as a process of its own, as `probe sim` starts it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("agent")


@contextlib.contextmanager
def simulator(*options: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A running simulator and its port; ended by SIGTERM if it still runs."""
    command = [sys.executable, "-m", "probe", "sim", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process, int(json.loads(process.stdout.readline())["listening"].rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(5)
