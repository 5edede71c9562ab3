"""The table of faults: each part of the machine that breaks, what that may cost, and the sentence that tells of it.

Each row is run: the daemon is in the middle of a round when the fault strikes, and lives through it (or is started
again). Held against each: nothing was dialled that was not to be, nothing was lost, the rest of the round is as it
should be, and the user was told in that sentence. (A receiver of webhooks that fails: webhook/test_webhook_faults.py.)
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import postgres
import pytest
from agent.conftest import missing
from agent.test_addressing import Nameserver
from daemon_process import Daemon, wait_until
from databases import fresh_store
from fleet_processes import ROOMY, Carrier, callee, caller

from probe.store import open_store

pytestmark = pytest.mark.agent

CALLERS = tuple(map(caller, range(2)))
CALLEES = tuple(map(callee, range(3)))
PAIRS = sorted((one, other) for one in CALLERS for other in CALLEES)
RINGS = "1"  # the last digit of the callee that rings until it is cancelled
SCENARIO = """
trunk: {{name: far, uri: "{uri}", lines: 2, calls_per_second: 8{more}}}
callers: [{callers}]
destinations: [{callees}]
call: {{ring_limit: {ring_limit}, hold: 0s}}
limits: {limits}
schedule: {{calendar: {{days: 1, at: 00:00, since: 2099-01-01}}}}
"""
SECONDS = 14.0  # longer rounds are not filled faster: half a call's share of the round is between two calls
HEARD = frozenset({"refused", "ring_limit"})  # endings of a call that was dialled and answered


class Deaf(Carrier):
    """A carrier that answers nothing while it is `deaf`."""

    deaf = False

    def _answer(self, request):
        if not self.deaf:
            yield from super()._answer(request)
        elif request.method == "INVITE":
            self._note(request.header("Call-ID"), request)


class Trial:
    """A daemon before a carrier that counts; `fresh` starts the daemon again, on the same store."""

    def __init__(self, folder: Path, carrier: Deaf, stack: contextlib.ExitStack) -> None:
        self.folder, self.carrier, self.stack = folder, carrier, stack
        self.uri, self.more = f"sip:127.0.0.1:{carrier.port}", ""
        self.ring_limit, self.limits = "1s", "none"
        self.program = (sys.executable, "-m", "probe")
        self.url = f"sqlite:///{folder / 'probe.db'}"
        self.before = ""
        self.rounds = 0
        self.name_port = 0
        self.server: postgres.Server | None = None
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        assert self._daemon is not None
        return self._daemon

    @property
    def said(self) -> str:
        """The logs of all daemons so far."""
        return self.before + (self._daemon.said if self._daemon else "")

    def start(self) -> Daemon:
        self.before = self.said
        callers = ", ".join(f'{{number: "{number}"}}' for number in CALLERS)
        callees = ", ".join(f'{{number: "{number}", network: a, consent: a far end}}' for number in CALLEES)
        path = self.folder / "watch.yaml"
        words = {"uri": self.uri, "more": self.more, "ring_limit": self.ring_limit, "limits": self.limits}
        path.write_text(SCENARIO.format(callers=callers, callees=callees, **words))
        self._daemon = Daemon(self.folder, path, env={"PROBE_STORE": self.url}, program=self.program)
        return self._daemon

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.__exit__()

    def begin_round(self, seconds: float) -> None:
        """Let there be a round that has so much time left, and began before: its calls need not be waited for."""
        self.rounds += 1
        now = datetime.now(UTC)
        began = now - timedelta(seconds=2)
        begun = {"planned_at": began, "ends_at": now + timedelta(seconds=seconds)}
        with closing(open_store(self.url)) as store:
            store.begin_round(f"watch@{now:%Y-%m-%dT%H:%M:%SZ}", "watch", began, len(PAIRS), **begun)

    def wait_for_calls(self, count: int) -> None:
        wait_until(lambda: len(self.carrier.calls) >= count, 20, lambda: self.said)

    def wait_for_words(self, words: str, seconds: float = 20) -> None:
        wait_until(lambda: words in self.said, seconds, lambda: f"{words!r} is not in\n{self.said}")

    def wait_until_over(self) -> None:
        def over() -> bool:
            with closing(open_store(self.url)) as store:
                return not store.open_rounds("watch")

        wait_until(over, 40, lambda: self.said)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.daemon.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    def recorded(self) -> dict[str, tuple[tuple[str, str], str]]:
        """The numbers and the ending of each planned call by its key, of those that the guard refused, too."""
        with closing(open_store(self.url)) as store:
            calls = list(store.calls(messages=False))
        found = {
            str(one.request.plan_key): ((one.request.caller, one.request.callee), str(one.ending)) for one in calls
        }
        assert len(calls) == len(found)
        return found


# What strikes. Each function lets the fault come, waits until the user is told, and takes it away again.


def abort_child(trial: Trial) -> None:
    wait_until(lambda: trial.carrier.open, 20, lambda: trial.said)
    os.kill(trial.children()[0], signal.SIGABRT)


def hang_child(trial: Trial) -> None:
    wait_until(lambda: trial.carrier.open, 20, lambda: trial.said)
    os.kill(trial.children()[0], signal.SIGSTOP)
    began = time.monotonic()
    trial.wait_for_words("hung and was killed", 8)
    assert time.monotonic() - began < 6.5  # five seconds, and a busy machine
    trial.carrier.ringing = ""  # or the round would last for minutes


def kill_parent(trial: Trial) -> None:
    wait_until(lambda: trial.carrier.open, 20, lambda: trial.said)
    trial.daemon.kill()
    wait_until(lambda: not trial.carrier.open, 5, lambda: "the child left the phone ringing")
    with closing(open_store(trial.url)) as store:
        store.mark_lost(datetime.now(UTC) + timedelta(minutes=5))  # as if so much time had passed
    trial.start().wait_for("started")
    trial.before += trial.daemon.probe("calls").stdout
    trial.begin_round(SECONDS)  # to start took its time: the first may be over


def make_store_read_only(trial: Trial) -> None:
    trial.wait_for_calls(2)
    assert 0 == trial.daemon.stop()
    read_only = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    trial.program = ("unshare", "-m", "sh", "-c", read_only, str(trial.folder), *trial.program)
    assert 3 == trial.start().process.wait(20)
    trial.program = trial.program[-3:]
    trial.start().wait_for("started")
    trial.begin_round(SECONDS)  # to start twice took its time: the first may be over


def fill_disk(trial: Trial) -> None:
    trial.wait_for_calls(1)
    ballast = Path(trial.url.removeprefix("sqlite:///")).with_name("ballast")
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    trial.wait_for_words("the disk is full")
    ballast.unlink()
    trial.daemon.wait_for("recovered")


def exhaust_handles(trial: Trial) -> None:
    trial.wait_for_calls(2)
    pid = trial.daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    os.kill(trial.children()[0], signal.SIGKILL)  # to start another takes handles
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    trial.wait_for_words("Too many open files")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def take_trunk_away(trial: Trial) -> None:
    trial.wait_for_calls(1)
    trial.carrier.deaf = True
    trial.wait_for_words("not one answer within 1 s")
    trial.carrier.deaf = False


def take_dns_away(trial: Trial) -> None:
    trial.wait_for_words("does not resolve", 30)
    address = ("carrier.example.com.", "A", "127.0.0.1")
    trial.stack.enter_context(Nameserver(address, port=trial.name_port))


def step_clock(trial: Trial) -> None:
    trial.wait_for_calls(2)
    (trial.folder / "offset").write_text("-3600")
    trial.wait_for_words("the wall clock was set -3600 s")
    (trial.folder / "offset").write_text("0")


def step_clock_ahead(trial: Trial) -> None:
    trial.wait_for_calls(2)
    (trial.folder / "offset").write_text("3600")
    trial.wait_for_words("the wall clock was set +3600 s")
    trial.wait_until_over()
    (trial.folder / "offset").write_text("0")
    trial.begin_round(SECONDS)  # the first was over an hour ago, by that clock


def take_database_away(trial: Trial) -> None:
    trial.wait_for_calls(2)
    assert trial.server is not None
    trial.server.stop(signal.SIGQUIT)
    trial.wait_for_words("tick_failed")
    trial.server.start()
    trial.daemon.wait_for("recovered")


# What a row needs before the daemon starts.


def ring_long(trial: Trial) -> None:
    trial.ring_limit = "7s"


def find_by_name(trial: Trial) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        trial.name_port = free.getsockname()[1]
    trial.uri, trial.limits = f"sip:carrier.example.com:{trial.carrier.port}", ROOMY
    trial.more = f', nameservers: ["127.0.0.1:{trial.name_port}"]'


def own_clock(trial: Trial) -> None:
    trial.program = (sys.executable, "-c", STEPPED, str(trial.folder / "offset"))


def own_server(trial: Trial) -> None:
    if not postgres.installed():
        missing("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    trial.server = trial.stack.enter_context(postgres.running())
    trial.url = trial.server.database()
    open_store(trial.url).close()


def be_root(_: Trial) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        missing("to mount a file system for the store needs root on Linux, and unshare (Debian: util-linux)")


def small_disk(trial: Trial) -> None:
    be_root(trial)
    place = trial.folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "probe-test", str(place)], check=True)
    trial.stack.callback(subprocess.run, ["umount", "--lazy", str(place)], check=True)
    trial.url = fresh_store(place)


# The wall clock that Python tells, set by a file: there is no namespace of it, and what is measured is monotonic.
STEPPED = """
import datetime, pathlib, sys, time
file, told = pathlib.Path(sys.argv.pop(1)), time.time
time.time = lambda: told() + float(file.read_text() or 0 if file.exists() else 0)
class Kind(type(datetime.datetime)):
    def __instancecheck__(cls, one, known=datetime.datetime):
        return isinstance(one, known)
class Stepped(datetime.datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Stepped
from probe.__main__ import main
main()
"""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`costs` are the endings, beside the carrier's answers, that calls of the round may have."""

    strike: Callable[[Trial], None]
    costs: frozenset[str]
    words: str
    before: Callable[[Trial], None] = lambda _: None
    seconds: float = SECONDS  # so much time the round has left


NOTHING: frozenset[str] = frozenset()
FAULTS = {
    "the child aborts in a call": Fault(
        strike=abort_child,
        costs=frozenset({"agent_failed"}),
        words="our own agent failed: The SIP user agent died during the call: it ended without a word.",
    ),
    "the child hangs": Fault(
        before=ring_long,
        strike=hang_child,
        costs=frozenset({"agent_failed"}),
        words="our own agent failed: The SIP user agent hung and was killed.",
        seconds=22,
    ),
    "the parent is killed": Fault(strike=kill_parent, costs=frozenset({"lost"}), words="our own process died"),
    "the store is read-only": Fault(
        before=be_root,
        strike=make_store_read_only,
        costs=frozenset({"stopped"}),  # the daemon finds it when it is started again
        words="cannot be opened; check that the path is a file in a folder that this user may write",
    ),
    "the disk is full": Fault(
        before=small_disk, strike=fill_disk, costs=NOTHING, words="cannot grow, because the disk is full; make room"
    ),
    "the database is gone and comes back": Fault(
        before=own_server,
        strike=take_database_away,
        costs=frozenset({"lost"}),  # its attempt is on the disk, and its answer was lost with the server
        words="see that its server runs",
    ),
    "DNS is gone and comes back": Fault(
        before=find_by_name,
        strike=take_dns_away,
        costs=frozenset({"no_response"}),
        words="The trunk's host carrier.example.com does not resolve; check its spelling and the machine's DNS.",
        seconds=22,
    ),
    "the trunk is gone and comes back": Fault(
        strike=take_trunk_away, costs=frozenset({"no_response"}), words="not one answer within 1 s"
    ),
    "the clock is stepped": Fault(
        before=own_clock, strike=step_clock, costs=NOTHING, words="the wall clock was set -3600 s"
    ),
    "the clock is stepped ahead": Fault(
        before=own_clock, strike=step_clock_ahead, costs=NOTHING, words="the wall clock was set +3600 s"
    ),
    "file handles are exhausted": Fault(
        strike=exhaust_handles, costs=frozenset({"agent_failed"}), words="Too many open files"
    ),
}


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    with contextlib.ExitStack() as stack, Deaf(ringing=RINGS) as carrier:
        trial = Trial(tmp_path, carrier, stack)
        yield trial
        trial.stop()


@pytest.mark.parametrize("name", FAULTS)
def test_what_breaks_costs_no_more_than_it_must_and_is_told(trial: Trial, name: str):
    fault, carrier = FAULTS[name], trial.carrier
    fault.before(trial)
    trial.start().wait_for("started")

    trial.begin_round(fault.seconds)
    fault.strike(trial)
    time.sleep(0.3)  # what was on its way has left
    dialled_before = carrier.dialled
    trial.wait_until_over()

    # Nothing is dialled that was not planned, nor twice: each INVITE has a planned call of its own, that was let in.
    recorded = list(trial.recorded().values())
    let_in = Counter(pair for pair, ending in recorded if ending != "guarded")
    assert carrier.dialled <= let_in, trial.said
    # Nothing is lost: each planned call ends once, and what the carrier answered stands there.
    assert sorted(PAIRS * trial.rounds) == sorted(pair for pair, _ in recorded)
    assert HEARD | fault.costs | {"guarded"} >= {ending for _, ending in recorded}, trial.said
    heard = Counter(pair for pair, ending in recorded if ending in HEARD)
    assert heard <= carrier.dialled
    # The user is told, in a sentence.
    assert fault.words in trial.said
    assert "Traceback" not in trial.said

    # And then all is as it was: the rest of the round is placed and answered, nothing is open, and it is well.
    later = carrier.dialled - dialled_before
    assert later, trial.said
    assert later <= heard, trial.said
    assert 200 == trial.daemon.get("/healthz")[0]
    assert 0 == trial.daemon.stop()
