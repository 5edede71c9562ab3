"""`probe run` as a process: started, watched by its log and its HTTP port, told and killed; and who listens to it."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from databases import fresh_store
from standardwebhooks import Webhook

from probe.store import open_store

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Daemon:
    """One run of the daemon, with `folder` for its store, its log and its stop file.

    `program` starts probe in another way than by its module; `options` may be more scenarios, too.
    """

    def __init__(self, folder, scenario, *options, env=None, program=(sys.executable, "-m", "probe")):
        self.folder = folder
        self._name = scenario.stem
        self.store_url = fresh_store(folder)
        self.stop_file = folder / "STOP"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROBE_")}
        self.environment = clean | {"PROBE_STORE": self.store_url, "PROBE_STOP_FILE": str(self.stop_file)}
        self.environment |= {"HOOK_SECRET": SECRET} | (env or {})
        self._log = folder / f"{time.monotonic_ns()}.log"
        command = [*program, "run", "--http", "127.0.0.1:0", str(scenario), *map(str, options)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL, env=self.environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    @property
    def said(self):
        """The log so far."""
        return self._log.read_text()

    def lines(self, event):
        """The log's lines about an event."""
        whole = [line for line in self.said.splitlines(keepends=True) if line.endswith("\n") and line.startswith("{")]
        return [line for line in map(json.loads, whole) if line["event"] == event]

    def open_round(self, seconds, planned):
        """Let it have a round to place from now on."""
        self.wait_for("started")
        open_round(self.folder, self._name, seconds, planned)

    def wait_for(self, event, seconds=20, **fields):
        """The first line about an event that holds these fields."""

        def found():
            return [line for line in self.lines(event) if fields.items() <= line.items()]

        wait_until(lambda: found() or self.process.poll() is not None, seconds, lambda: self.said)
        assert found(), self.said
        return found()[0]

    def get(self, path):
        """Status and text of what it answers over HTTP."""
        url = f"http://{self.wait_for('started')['http']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def tell(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=10):
        """SIGTERM; its exit code."""
        self.tell(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def probe(self, *arguments):
        """Another command on the same store."""
        done = subprocess.run(
            [sys.executable, "-m", "probe", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


def wait_until(holds, seconds=20, story=str):
    """Wait for what another process does, and fail with the story when it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, story()
        time.sleep(0.02)


@contextmanager
def store_in(folder):
    """The store of the daemon in that folder."""
    store = open_store(f"sqlite:///{folder / 'probe.db'}")
    yield store
    store.close()


def open_round(folder, scenario, seconds, planned):
    """Put a round under way into the store, as a daemon that was killed leaves it: it is gone on with."""
    now = datetime.now(UTC)
    round_id = f"{scenario}@{now:%Y-%m-%dT%H:%M:%SZ}"
    with store_in(folder) as store:
        store.begin_round(round_id, scenario, now, planned, planned_at=now, ends_at=now + timedelta(seconds=seconds))


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Webhook(SECRET).verify(body, dict(self.headers))
        self.server.tries.append(self.headers["webhook-id"])
        if self.server.hangs:
            self.server.released.wait(60)
            return
        failing = len(self.server.tries) <= self.server.fails
        if not failing:
            self.server.taken.append((self.headers["webhook-id"], json.loads(body)))
        self.send_response(503 if failing else 204)
        self.end_headers()

    def log_message(self, *_):
        """Keep the test's output clean."""


class Receiver(ThreadingHTTPServer):
    """Takes webhooks and checks each signature; it fails at first, or hangs, if it is told to."""

    daemon_threads = True

    def __init__(self, *, fails=0, hangs=False):
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.fails, self.hangs = fails, hangs
        self.tries, self.taken = [], []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *arguments):
        self.released.set()
        self.shutdown()
        super().__exit__(*arguments)
