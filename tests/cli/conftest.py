"""The command line as a user meets it: a process, its two outputs, its exit code; the simulator as the carrier."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from cli.loaded import Loaded, run_alone
from databases import fresh_store


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(scope="session")
def loaded():
    """A process that forks for each command."""
    process = Loaded()
    yield process
    process.close()


@pytest.fixture
def probe(tmp_path, loaded):
    """Run a probe command with a store of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PROBE_", "PYTEST_"))}
    environment["PROBE_STORE"] = fresh_store(tmp_path)

    def run(*arguments, stdin=b"", env=None):
        start = run_alone if any(name.startswith("PYTHON") for name in env or {}) else loaded.run
        done = start([*map(str, arguments)], stdin, environment | (env or {}))
        said = Said(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in said.err, said.err
        return said

    run.environment = environment
    return run


@pytest.fixture(scope="session")
def carrier():
    """The address of a running simulator."""
    command = [sys.executable, "-m", "probe", "sim", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())["listening"]
        process.terminate()
