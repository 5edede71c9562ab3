"""The command line as a user meets it: a process, its two outputs, its exit code; the simulator as the carrier."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest


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


@pytest.fixture
def probe(tmp_path):
    """Run a probe command with a store of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PROBE_")}
    environment["PROBE_STORE"] = f"sqlite:///{tmp_path / 'probe.db'}"

    def run(*arguments, stdin=b"", env=None):
        done = subprocess.run(
            [sys.executable, "-m", "probe", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
            env=environment | (env or {}),
        )
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
