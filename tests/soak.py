"""A daemon for as long as you like, and what is around it fails at random: `make soak MINUTES=n`.

Two trunks: SIPp, which keeps a log of its own, and behind a tap that keeps one the Asterisk container (or, where there
is none, our simulator). The receiver of the webhooks fails at random, and children are killed, aborted and stopped at
random. At the end memory, handles, children, lines and outbox are where they were, each planned call has its record,
and the far ends' logs agree with the store, call by call.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from asterisk.container import CarrierError, down, free_port, up
from daemon_process import SECRET, Daemon, Receiver, wait_until

from probe.call import CallRecord, Direction
from probe.event import DeliveryState, Endpoint
from probe.scenario.history import DAY
from probe.scenario.round import RoundState
from probe.sip import read_conversation, read_request, read_response
from probe.store import Store, open_store
from probe.webhook.delivery import deliver_pending

HERE = Path(__file__).resolve().parent
EVERY_S = 8  # a round of each trunk
CALLERS = ("+12025550101", "+12025550102")
SIPP_CALLEES = ("+12025550171", "+12025550172", "+12025550173")
# One answers, one rings until it is cancelled, one refuses.
CALLEES_AT_ASTERISK = ("+12025550150", "+12025550154", "+12025550161")
CALLEES_AT_SIMULATOR = ("+12025550190", "+12025550194", "+12025550161")
REST_S = 10  # what is open for a moment is closed by then
ENDINGS = frozenset({"answered", "refused", "ring_limit"})  # of calls that no part of ours failed
MANY = 50  # calls, among which there is each of them
FAILS = 0.3  # the share of posts that are not taken
DEATHS = (signal.SIGKILL, signal.SIGABRT, signal.SIGSTOP)
MEMORY_MB = 15  # more than at first that the daemon may hold in the end
NO_RECORD_OF_THE_INVITE = frozenset({"agent_failed", "lost"})
SCENARIO = """
trunk: {{name: {name}, uri: "sip:127.0.0.1:{port}", lines: 4, calls_per_second: 10{more}}}
callers: [{callers}]
destinations: [{callees}]
call: {{ring_limit: 2s, hold: 300ms}}
limits: none
schedule: {{every: {every}s}}
webhook: {{url: "{url}", secret: "${{HOOK_SECRET}}", events: [round.completed, call.blocked]}}
"""


class SoakError(AssertionError):
    """Something is not where it was, or somebody's word stands against somebody else's."""


@dataclass
class Heard:
    """What a far end knows of one call: whom it was for, and the final response to its INVITE."""

    callee: str
    final: int | None = None


class Tap:
    """A relay of UDP before a far end, that keeps what it carried of each call."""

    def __init__(self, port: int) -> None:
        self.calls: dict[str, Heard] = {}
        self._far = ("127.0.0.1", port)
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.bind(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._ways: dict[tuple[str, int], socket.socket] = {}

    def __enter__(self) -> Self:
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._door, *self._ways.values()):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, peer = self._door.recvfrom(65_535)
                if not raw:
                    continue
                if (request := read_request(raw)) and request.method == "INVITE":
                    self.calls.setdefault(request.header("Call-ID") or "", Heard(_callee(request.uri)))
                self._way(peer).sendto(raw, self._far)

    def _way(self, peer: tuple[str, int]) -> socket.socket:
        """A socket of its own for each of our children, so that answers find back."""
        if peer not in self._ways:
            way = self._ways[peer] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.bind(("127.0.0.1", 0))
            threading.Thread(target=self._bring_back, args=(way, peer), daemon=True).start()
        return self._ways[peer]

    def _bring_back(self, way: socket.socket, peer: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            while raw := way.recv(65_535):
                response = read_response(raw)
                call = self.calls.get(response.header("Call-ID") or "")
                of_invite = (response.header("CSeq") or "").endswith("INVITE")
                if call and of_invite and response.status and response.status not in {401, 407}:
                    call.final = response.status if response.status >= 200 else call.final
                self._door.sendto(raw, peer)


@dataclass
class SippEnd:
    """A SIPp that rings for a second and refuses, and the log that it keeps of each message."""

    port: int
    folder: Path

    @property
    def calls(self) -> dict[str, Heard]:
        found: dict[str, Heard] = {}
        for log in self.folder.glob("*shortmessages.log"):
            for line in log.read_text(errors="replace").splitlines():
                self._read(line, found)
        return found

    @staticmethod
    def _read(line: str, found: dict[str, Heard]) -> None:
        parts = line.split("\t")
        if len(parts) < 3:
            return
        call_id, first = parts[-3], parts[-1]
        if invite := re.match(r"INVITE sip:(\+\d+)@", first):
            found.setdefault(call_id, Heard(invite[1]))
        elif (final := re.match(r"SIP/2\.0 ([2-6]\d\d)", first)) and "INVITE" in parts[-2] and call_id in found:
            found[call_id].final = int(final[1])


class FailingReceiver(Receiver):
    """Takes webhooks, or does not, as chance has it; the same chance each time."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.moody = True
        super().__init__()

    @property
    def fails(self) -> int:
        """How many posts fail: all so far and this one, or none."""
        failing = self.moody and self._chance.random() < FAILS
        return len(self.tries) if failing else 0

    @fails.setter
    def fails(self, _: int) -> None:
        """The base class sets it; chance decides."""


@dataclass(frozen=True, kw_only=True)
class Weight:
    """What the daemon holds."""

    mb: float
    handles: int | None  # None: the kernel shows those of a process without cores to root only
    children: int


@dataclass
class Soak:
    """One soak: its parts, and what was done to them."""

    daemon: Daemon
    receiver: FailingReceiver
    ends: tuple[SippEnd, Tap]
    callees: dict[str, tuple[str, ...]]
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter)

    def kill_some_child(self) -> None:
        """Let one child die in one of three ways."""
        children = children_of(self.daemon.process.pid)
        if children:
            how = self.chance.choice(DEATHS)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(children), how)
            self.killed[how.name] += 1


def soak(seconds: float, folder: Path, *, asterisk: bool, seed: int = 1) -> str:
    """Run for about so long; give a summary. SoakError if anything is not as it should be."""
    with _running(folder, random.Random(seed), asterisk=asterisk) as running:
        _wait_for_rounds(running, 2)
        before = min((weigh(running.daemon) for _ in range(5)), key=lambda one: one.handles or 0)
        _let_things_die(running, time.monotonic() + seconds)
        running.receiver.moody = False
        _wait_for_rounds(running, _rounds_done(running) + 2)
        after = _weigh_at_rest(running.daemon, before.handles)
        if running.daemon.stop() != 0:
            raise SoakError(running.daemon.said)
        with closing(open_store(running.daemon.store_url)) as store:
            return _judge(running, store, before, after)


def _let_things_die(running: Soak, until: float) -> None:
    while time.monotonic() < until:
        time.sleep(min(running.chance.uniform(0.5, 4.0), max(0.0, until - time.monotonic())))
        running.kill_some_child()


def _rounds_done(running: Soak) -> int:
    return len([line for line in running.daemon.lines("round") if line["state"] == "done"])


def _wait_for_rounds(running: Soak, count: int) -> None:
    """Wait until so many rounds are done, and no call is under way."""
    wait_until(lambda: _rounds_done(running) >= count, 60 + 6 * EVERY_S, lambda: running.daemon.said[-5000:])
    idle = "probe_calls_under_way 0.0"
    wait_until(lambda: idle in running.daemon.get("/metrics")[1], 30, lambda: running.daemon.said[-5000:])


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended since it was listed
            found += map(int, task.read_text().split())
    return found


def weigh(daemon: Daemon) -> Weight:
    pid = daemon.process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return Weight(mb=int(resident.split()[1]) / 1000, handles=_handles_of(pid), children=len(children_of(pid)))


def _weigh_at_rest(daemon: Daemon, most: int | None) -> Weight:
    """Weigh until it holds no more handles than `most`: a post may be on its way, but what has leaked stays."""
    until = time.monotonic() + REST_S
    while ((after := weigh(daemon)).handles or 0) > (most or 0) and time.monotonic() < until:
        time.sleep(0.05)
    return after


def _handles_of(pid: int) -> int | None:
    """Count its handles without those on the store, of which the pool of connections keeps as many as it once used."""
    if os.geteuid() != 0:
        return None
    links = map(_target_of, Path(f"/proc/{pid}/fd").iterdir())
    return len([link for link in links if link is not None and "/probe.db" not in link])


def _target_of(link: Path) -> str | None:
    with suppress(FileNotFoundError):  # closed since it was listed
        return os.readlink(link)  # noqa: PTH115 - what it says is no path
    return None


# The parts.


@contextmanager
def _running(folder: Path, chance: random.Random, *, asterisk: bool) -> Iterator[Soak]:
    with (
        _sipp(folder) as sipp,
        _far_end(asterisk=asterisk) as (port, far_callees, more, env),
        Tap(port) as tap,
        FailingReceiver(chance) as receiver,
    ):
        callees = {"sipp": SIPP_CALLEES, "far": far_callees}
        files = (
            _scenario(folder / "sipp.yaml", "sipp", sipp.port, callees["sipp"], receiver.url, ""),
            _scenario(folder / "far.yaml", "far", tap.port, callees["far"], receiver.url, more),
        )
        with Daemon(folder, *files, "--full-numbers", env=env) as daemon:
            daemon.wait_for("started")
            yield Soak(daemon=daemon, receiver=receiver, ends=(sipp, tap), callees=callees, chance=chance)


def _scenario(path: Path, name: str, port: int, callees: tuple[str, ...], url: str, more: str) -> Path:  # noqa: PLR0913, PLR0917 - what stands in a file
    path.write_text(
        SCENARIO.format(
            name=name,
            port=port,
            more=more,
            callers=", ".join(f'{{number: "{number}"}}' for number in CALLERS),
            callees=", ".join(f'{{number: "{number}", network: a, consent: a far end}}' for number in callees),
            every=EVERY_S,
            url=url,
        )
    )
    return path


@contextmanager
def _sipp(folder: Path) -> Iterator[SippEnd]:
    own = folder / "sipp"
    own.mkdir()
    end = SippEnd(_free_port(), own)
    scenario = HERE / "data" / "sipp" / "ring_1s_refuse.xml"
    command = ["sipp", "-sf", str(scenario), "-i", "127.0.0.1", "-p", str(end.port), "-cp", str(_free_port())]
    command += ["-mp", str(_free_port()), "-nostdin", "-trace_shortmsg"]
    with subprocess.Popen(command, cwd=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield end
        finally:
            process.kill()


@contextmanager
def _far_end(*, asterisk: bool) -> Iterator[tuple[int, tuple[str, ...], str, dict[str, str]]]:
    """Port of the second far end, the numbers that it knows, what its trunk says more, and the environment of that."""
    if asterisk:
        carrier = up(free_port(), ca_file=Path(tempfile.gettempdir()) / "probe-soak-ca.pem")
        try:
            credentials = ', username: probe-user, password: "${PROBE_TEST_PASSWORD}"'
            yield carrier.port, CALLEES_AT_ASTERISK, credentials, {"PROBE_TEST_PASSWORD": carrier.password}
        finally:
            down(carrier.name)
        return
    command = [sys.executable, "-m", "probe", "sim", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            listening = json.loads(process.stdout.readline())["listening"]
            yield int(listening.rpartition(":")[2]), CALLEES_AT_SIMULATOR, "", {}
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _callee(uri: str) -> str:
    return uri.partition("sip:")[2].partition("@")[0]


# The judgement.


def _judge(running: Soak, store: Store, before: Weight, after: Weight) -> str:
    calls = list(store.calls())
    _nothing_has_grown(before, after)
    _every_planned_call_is_there(store, calls, running.callees)
    for name, end in zip(("sipp", "far"), running.ends, strict=True):
        _the_logs_agree(name, dict(end.calls), [call for call in calls if call.request.trunk == name])
    _the_outbox_is_empty(running, store)
    endings = Counter(str(call.ending) for call in calls)
    _hold(len(calls) < MANY or set(endings) >= ENDINGS, f"not every ending was met: {endings}")
    deaths = sum(running.killed.values())
    return (
        f"{len(calls)} calls in {_rounds_done(running)} rounds ({_counted(endings)}); "
        f"{deaths} children died ({_counted(running.killed)}); {len(running.receiver.tries)} posts, "
        f"{len(running.receiver.taken)} taken; memory {before.mb:.0f} to {after.mb:.0f} MB, "
        f"handles {before.handles} to {after.handles}"
    )


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))


def _hold(condition: object, words: str) -> None:
    if not condition:
        raise SoakError(words)


def _nothing_has_grown(before: Weight, after: Weight) -> None:
    told = f"{before} has become {after}"
    _hold(after.mb <= before.mb + MEMORY_MB, told)
    _hold(after.handles is None or before.handles is None or after.handles <= before.handles, told)
    _hold(after.children <= before.children, told)


def _every_planned_call_is_there(store: Store, calls: list[CallRecord], callees: dict[str, tuple[str, ...]]) -> None:
    """Each round has each pair of its file once: placed, or refused with a reason; and each call has its end."""
    twice = [key for key, count in Counter(call.request.plan_key for call in calls).items() if count > 1]
    _hold(not twice, f"planned once and placed more often: {twice}")
    for one in store.rounds(datetime.now(UTC) - DAY):
        pairs = sorted((caller, callee) for caller in CALLERS for callee in callees[one.scenario])
        found = sorted((call.request.caller, call.request.callee) for call in calls if call.request.round == one.id)
        if one.state is RoundState.DONE:
            _hold(pairs == found, f"the round {one.id} has {found}")
    open_ = store.mark_lost(datetime.now(UTC) + timedelta(hours=1))
    _hold(not open_, f"calls without an end: {open_}")


def _the_logs_agree(name: str, heard: dict[str, Heard], calls: list[CallRecord]) -> None:
    """Each call of which we have an INVITE is in the far end's log, with that final response; and the other way round.

    A child that was killed may have sent an INVITE of which nobody heard: such a call has no messages here.
    """
    ours = {_call_id(call): call for call in calls if call.messages}
    missing = [call.request.id for call_id, call in ours.items() if call_id not in heard]
    _hold(not missing, f"{name} knows nothing of {missing}")
    for call_id, call in ours.items():
        final = read_conversation(call.messages).final
        if final is not None:
            there = heard[call_id].final
            # Once we have sent PRACK straight to its Contact, the simulator answers straight, too, and past the tap.
            past_the_tap = name == "far" and there is None and final.status == 200
            _hold(
                past_the_tap or final.status == there,
                f"{name} answered {call.request.id} with {there}, not {final.status}",
            )
        _hold(heard[call_id].callee == call.request.callee, f"{name} was asked for another number by {call.request.id}")
    unknown = Counter(one.callee for call_id, one in heard.items() if call_id not in ours)
    silent = Counter(
        call.request.callee for call in calls if not call.messages and str(call.ending) in NO_RECORD_OF_THE_INVITE
    )
    _hold(unknown <= silent, f"{name} was called {unknown - silent} and we know nothing of it")


def _call_id(call: CallRecord) -> str:
    invite = next(message for message in call.messages if message.direction is Direction.SENT)
    request = read_request(invite.raw)
    return (request.header("Call-ID") if request else None) or ""


def _the_outbox_is_empty(running: Soak, store: Store) -> None:
    """What waits for its next try has it now: then each event was taken once, in the order of its number."""
    endpoint = Endpoint(
        name=running.receiver.url,
        url=running.receiver.url,
        secret=SECRET,
        types=frozenset({"round.completed", "call.blocked"}),
    )
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    asyncio.run(deliver_pending(store.outbox, endpoint, now=lambda: tomorrow))
    states = Counter(one.state for one in store.outbox.deliveries())
    _hold(set(states) == {DeliveryState.DELIVERED}, f"in the outbox are {states}")
    written = {one.event.id for one in store.outbox.deliveries()}
    taken = Counter(event_id for event_id, _ in running.receiver.taken)
    _hold(written == set(taken), f"not taken: {written - set(taken)}; never written: {set(taken) - written}")


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def main() -> int:
    """Soak for as many minutes as are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="probe-soak-") as folder:
        try:
            tell(soak(60 * minutes, Path(folder), asterisk=True, seed=time.time_ns()))
        except CarrierError as error:
            tell(f"{error} Our simulator takes its place.")
            again = Path(folder) / "again"
            again.mkdir()
            tell(soak(60 * minutes, again, asterisk=False, seed=time.time_ns()))
        except SoakError as error:
            tell(f"soak: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
