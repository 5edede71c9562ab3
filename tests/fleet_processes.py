"""A fleet on one machine: its daemons and workers as processes, its PostgreSQL, and a far end that counts INVITEs."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.far_end import FarEnd, reply
from sqlalchemy import make_url, text

from probe import fleet
from probe.call import CallRequest
from probe.store import open_store
from probe.store.locks import Lock, take_turn

TRUNK = "carrier-a"
SCENARIO = """
trunk: {{name: carrier-a, uri: "sip:127.0.0.1:{port}", lines: {lines}, calls_per_second: {pace}}}
callers: [{callers}]
destinations: [{destinations}]
call: {{ring_limit: {ring_limit}, hold: 0s}}
limits: {limits}
sites: [{sites}]
"""
ROOMY = '{per_caller: [100/1m], per_destination: [100/1m], calls_per_day: 10000, hours: "00:00-24:00"}'


def wait_until(condition, seconds=20, story=str):
    """Wait for something to become true, and give what it is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, story()
        time.sleep(0.02)
    return found


class Carrier(FarEnd):
    """The far end, and the judge: it writes down each call that was dialled, and how many were open at once.

    Callees that end in one of the digits `ringing` ring until they are cancelled; the others are busy at once.
    """

    def __init__(self, ringing="89"):
        super().__init__(self._answer)
        self.ringing = ringing
        self.calls = {}
        self.open = {}
        self.most_open = 0

    def _answer(self, request):
        call_id = request.header("Call-ID")
        if request.method == "INVITE":
            self._note(call_id, request)
            yield reply(request, "100 Trying")
            if _number(request.uri)[-1] in self.ringing:
                self.open[call_id] = request
                yield reply(request, "180 Ringing")
            else:
                self.open.pop(call_id, None)
                yield reply(request, "486 Busy Here")
        elif request.method == "CANCEL":
            yield reply(request, "200 OK")
            if (invite := self.open.pop(call_id, None)) is not None:
                yield reply(invite, "487 Request Terminated")
        elif request.method == "BYE":
            yield reply(request, "200 OK")

    def _note(self, call_id, request):
        if call_id not in self.calls:
            self.calls[call_id] = (_number(request.header("From")), _number(request.uri), time.monotonic())
            self.open[call_id] = request
            self.most_open = max(self.most_open, len(self.open))

    @property
    def dialled(self):
        """How often each caller ID has dialled each callee."""
        return Counter((caller, callee) for caller, callee, _ in list(self.calls.values()))


def _number(uri):
    return "+" + "".join(filter(str.isdigit, uri.partition("+")[2].partition("@")[0]))


@dataclass
class Process:
    """`probe` with these arguments, and its log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def said(self):
        return self.log.read_text()

    def lines(self, event):
        whole = [line for line in self.said.splitlines(keepends=True) if line.endswith("\n") and line.startswith("{")]
        return [line for line in map(json.loads, whole) if line["event"] == event]

    def wait_for(self, event, seconds=20):
        wait_until(lambda: self.lines(event) or self.process.poll() is not None, seconds, lambda: self.said)
        assert self.lines(event), self.said
        return self.lines(event)[0]

    def tell(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self, seconds=12):
        self.tell(signal.SIGTERM)
        return self.process.wait(seconds)


class Fleet:
    """The processes of a test, in a folder; gone at its end."""

    def __init__(self, folder, url, port):
        self.folder, self.url, self.port = folder, url, port
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PROBE_")}
        self.environment |= {"PROBE_STORE": url, "PROBE_STOP_FILE": str(folder / "STOP")}
        self._numbers = itertools.count()
        self._processes = []
        self.store = open_store(url)
        self.store.plans.prepare(fleet.make_ready)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self._processes:
            if one.process.poll() is None:
                one.kill()
        self.store.close()

    def scenario(self, name="watched", sites=("east",), more="", **changes):
        """Write a scenario file."""
        given = {"lines": 4, "pace": 50, "ring_limit": "25s", "limits": "none", "callers": 2, "destinations": 4}
        given |= changes
        callers = ", ".join(f"{{number: '{caller(number)}'}}" for number in range(given["callers"]))
        numbers = map(callee, range(given["destinations"]))
        listed = ", ".join(f"{{number: '{number}', consent: ours, network: verizon}}" for number in numbers)
        words = given | {"callers": callers, "destinations": listed, "sites": ", ".join(sites), "port": self.port}
        file = self.folder / f"{name}.yaml"
        file.write_text(SCENARIO.format(**words) + more)
        return file

    def worker(self, scenario, site="east", url=None):
        return self.start("worker", "--site", site, str(scenario), url=url)

    def daemon(self, scenario, url=None):
        return self.start("run", str(scenario), "--http", "127.0.0.1:0", url=url)

    def start(self, *arguments, url=None):
        log = self.folder / f"{next(self._numbers)}-{arguments[0]}.log"
        environment = self.environment | ({"PROBE_STORE": url} if url else {})
        with log.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-m", "probe", *arguments], stderr=written, stdout=subprocess.DEVNULL, env=environment
            )
        self._processes.append(Process(process, log))
        return self._processes[-1]

    def probe(self, *arguments):
        """Another command on the same store."""
        command = [sys.executable, "-m", "probe", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)

    def plan(self, pairs, site="east", seconds=3600, scenario="watched", **changes):
        """Plan a call from each caller to each callee, as a daemon does."""
        requests = [
            CallRequest(
                id=f"{site} {one} {other} {time.monotonic_ns()}",
                plan_key=f"{site} {one} {other}",
                trunk=TRUNK,
                caller=one,
                callee=other,
                scenario=scenario,
                site=site,
                **{"hold_ms": 0} | changes,
            )
            for one, other in pairs
        ]
        return self.store.plans.plan(requests, datetime.now(UTC) + timedelta(seconds=seconds), fleet.wake)

    def states(self):
        """How many planned calls are in which state."""
        found = Counter()
        for queue in self.store.plans.queues():
            found.update(queue.states)
        return dict(found)

    def wait_for_states(self, seconds=20, **wanted):
        wait_until(lambda: wanted == self.states(), seconds, lambda: f"{self.states()}, not {wanted}\n{self.logs()}")

    def logs(self):
        return "\n".join(f"{one.log.name}:\n{one.said}" for one in self._processes)

    def wait_until_over(self, seconds=20):
        """Wait until nothing is planned or under way."""
        wait_until(lambda: not {"planned", "placing"} & set(self.states()), seconds, self.logs)

    def let_time_pass(self, seconds=600):
        """Let all that is under way have begun so much earlier, which is as if so much time had passed."""
        span = f"interval '{seconds} seconds'"
        self.change(f"UPDATE call SET started_at = started_at - {span} WHERE ended_at IS NULL")
        self.change(f"UPDATE planned SET lease_until = lease_until - {span} WHERE state = 'placing'")

    @contextlib.contextmanager
    def nobody_may_take(self):
        """Hold the lock under which calls are taken."""
        with self.store._database.writing() as connection:
            take_turn(connection, Lock.ADMISSION)
            yield

    def open_round(self, scenario, seconds, planned):
        """Let a round be under way from now on."""
        now = datetime.now(UTC)
        round_id, ends_at = f"{scenario}@{now:%Y-%m-%dT%H:%M:%SZ}", now + timedelta(seconds=seconds)
        self.store.begin_round(round_id, scenario, now, planned, planned_at=now, ends_at=ends_at)

    def change(self, statement, **values):
        with self.store._database.writing() as connection:
            connection.execute(text(statement), values)

    def read(self, statement):
        with self.store._database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]


def caller(number):
    return f"+1202555{number + 100:04}"


def callee(number):
    return f"+1212555{number:04}"


class Way:
    """The network between a worker and the database: a port that leads to the server's socket, unless it is closed."""

    def __init__(self, url):
        self._socket_file = f"{make_url(url).query['host']}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closed = False
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs = []
        self._threads = []

    def __enter__(self):
        self._run(self._accept)
        return self

    def __exit__(self, *_):
        self.let_flow()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close()
        for thread in self._threads:
            thread.join(5)
        for end in itertools.chain.from_iterable(self._pairs):
            end.close()

    def url(self, url):
        """The same database, by this way."""
        port = self._listener.getsockname()[1]
        there = make_url(url).difference_update_query(["host"]).set(host="127.0.0.1", port=port)
        return there.render_as_string(hide_password=False)

    def close(self):
        """Let nothing through any more; who is on his way hears nothing."""
        self._closed = True
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def open(self):
        self._closed = False

    def hold(self):
        """Let nothing through for now; nobody is told."""
        self._flowing.clear()

    def let_flow(self):
        self._flowing.set()

    def _run(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                outer, _ = self._listener.accept()
                self._join(outer)

    def _join(self, outer):
        inner = socket.socket(socket.AF_UNIX)
        if self._closed or inner.connect_ex(self._socket_file):
            outer.close()
            inner.close()
            return
        self._pairs.append((outer, inner))
        for one, other in ((outer, inner), (inner, outer)):
            self._run(self._carry, one, other)

    def _carry(self, one, other):
        with contextlib.suppress(OSError):
            while chunk := one.recv(65_536):
                self._flowing.wait()
                other.sendall(chunk)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
