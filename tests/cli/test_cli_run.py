"""`probe run` as a process: signals, kills, reloads, its log, its health, and who it rings meanwhile."""

import json
import random
import signal
import socket
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from agent.far_end import FarEnd, reply
from daemon_process import SECRET, Daemon, Receiver, store_in, wait_until
from databases import fresh_store
from placed import BLOCKED as BLOCKED_HERE
from placed import refused

from probe.call import Ending
from probe.documents import document_schemas
from probe.scenario.history import DAY, PauseKind

pytestmark = pytest.mark.agent

CALLERS = ("+12025550101", "+12025550102")
NEVER = "{calendar: {days: 1, at: 00:00, since: 2099-01-01}}"
SCENARIO = """
trunk: {{name: far, uri: "sip:127.0.0.1:{port}", lines: 4, calls_per_second: 20}}
callers:
{callers}
destinations:
{callees}
call: {{ring_limit: {ring_limit}, hold: 300ms}}
limits: none
schedule: {schedule}
{webhook}
"""
WEBHOOK = """
webhook:
  url: {url}
  secret: ${{HOOK_SECRET}}
  events: [round.completed, call.blocked]
"""
BLOCKED = ('Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN',)


@pytest.fixture
def write(tmp_path):
    """Write the scenario file; the same name again is an edit."""

    def write(port, *, callers=CALLERS[:1], callees=("+12025550190",), url=None, **fields):
        path = tmp_path / "watch.yaml"
        text = {
            "port": port,
            "callers": "\n".join(f"  - number: {number}" for number in callers),
            "callees": "\n".join(f"  - {{number: {number}, network: a, consent: a far end}}" for number in callees),
            "schedule": NEVER,
            "ring_limit": "1s",
            "webhook": WEBHOOK.format(url=url) if url else "",
        }
        path.write_text(SCENARIO.format(**text | fields))
        return path

    return write


def callees(count):
    return tuple(f"+120255502{number:02}" for number in range(count))


def refusing(request):
    if request.method == "INVITE":
        yield reply(request, "603 Network Blocked", *BLOCKED)


class Ringing:
    """A phone that rings for `seconds` and is busy then; for ever, if none are given. CANCEL ends it."""

    def __init__(self, seconds=None):
        self.seconds = seconds
        self.invites = {}

    def __call__(self, request):
        call = request.header("Call-ID")
        if request.method == "INVITE" and call not in self.invites:
            self.invites[call] = request
            yield reply(request, "180 Ringing")
            if self.seconds is not None:
                time.sleep(self.seconds)
                yield reply(request, "486 Busy Here")
        elif request.method == "CANCEL":
            yield reply(request, "200 OK")
            yield reply(self.invites[call], "487 Request Terminated")


def dialled(far):
    """How many calls each pair got; a repeated INVITE has the Call-ID of the first."""
    calls = {request.header("Call-ID"): pair(request) for request in far.requests("INVITE")}
    return Counter(calls.values())


def pair(invite):
    caller = invite.header("From").partition("sip:")[2].partition("@")[0]
    return caller, invite.uri.partition("sip:")[2].partition("@")[0]


def rung(far):
    return {callee for _, callee in dialled(far)}


def test_rounds_of_seconds_against_the_simulator(tmp_path, write, carrier):
    with Receiver(fails=1) as receiver:
        scenario = write(
            carrier.rpartition(":")[2],
            callers=CALLERS,
            callees=("+12025550190", "+12025550180"),
            schedule="{every: 10s}",
            url=receiver.url,
        )
        with Daemon(tmp_path / "a", scenario) as daemon:
            done = daemon.wait_for("round", 40, state="done")
            assert "4 of 4 calls placed" == done["why"]
            wait_until(lambda: len(receiver.taken) >= 3, 20, lambda: daemon.said)
            status = json.loads(daemon.probe("status", str(scenario), "--json").stdout)
            page = daemon.get("/metrics")[1]
            assert (200, "ok\n") == daemon.get("/healthz")
            assert 0 == daemon.stop()
    assert "done" in {one["state"] for one in status["rounds"]}
    assert f"/{daemon.process.pid}/" in status["daemon"]
    assert status["scheduled"][0]["next_round_at"]
    # The second caller ID is one that the simulated carrier blocks, at both destinations.
    assert {"call.blocked": 2, "round.completed": 1} == Counter(body["type"] for _, body in receiver.taken[:3])
    assert 'probe_calls_total{disposition="answered"' in page
    assert 'probe_rounds_total{scenario="watch",state="done"}' in page
    for text in (page, daemon.said):
        assert "12025550" not in text
        assert SECRET not in text
    assert "...0101" in daemon.said
    assert [] == [line for line in daemon.said.splitlines() if not line.startswith("{")]


def test_sigterm_while_a_phone_rings_cancels_and_leaves_the_events(tmp_path, write):
    with FarEnd(Ringing()) as far, Receiver(hangs=True) as receiver:
        scenario = write(far.port, callees=callees(2), ring_limit="25s", url=receiver.url)
        with Daemon(tmp_path / "a", scenario, "--full-numbers") as daemon:
            daemon.open_round(30, 2)
            far.wait_for("INVITE", 20)
            wait_until(lambda: "probe_calls_under_way 1.0" in daemon.get("/metrics")[1])
            began = time.monotonic()
            daemon.tell(signal.SIGTERM)
            assert 0 == daemon.stop()  # twice is no harm
            assert time.monotonic() - began < 10
            far.wait_for("CANCEL", 2)
        with store_in(daemon.folder) as store:
            assert [Ending.STOPPED] == [call.ending for call in store.calls()]
    assert {1} == set(dialled(far).values())
    assert CALLERS[0] in daemon.said  # in full, as asked for
    assert "stopped" == json.loads(daemon.said.splitlines()[-1])["event"]


def test_a_receiver_that_hangs_delays_no_call_and_no_end(tmp_path, write):
    with FarEnd(refusing) as far, Receiver(hangs=True) as receiver:
        with Daemon(tmp_path / "a", write(far.port, callees=callees(5), url=receiver.url)) as daemon:
            daemon.open_round(16, 5)
            wait_until(lambda: receiver.tries, 20, lambda: daemon.said)
            wait_until(lambda: len(rung(far)) == 5, 20, lambda: daemon.said)
            daemon.wait_for("round", state="done")
            began = time.monotonic()
            assert 0 == daemon.stop()
            assert time.monotonic() - began < 10
        assert [] == receiver.taken
        with store_in(daemon.folder) as store:  # each blocked call and the round: all of them wait
            assert ["waiting"] * 6 == [one.state.value for one in store.outbox.deliveries()]


def test_a_reload_takes_a_good_file_and_leaves_a_bad_one(tmp_path, write):
    first, second, third = callees(3)
    with FarEnd(refusing) as far:
        scenario = write(far.port, callees=[first, third])
        with Daemon(tmp_path / "a", scenario) as daemon, store_in(daemon.folder) as store:
            store.pause(PauseKind.NUMBER, third, "it is being ported", datetime.now(UTC))
            daemon.open_round(16, 3)
            wait_until(lambda: first in rung(far), 20, lambda: daemon.said)
            write(far.port, callees=[first, second, third])
            daemon.tell(signal.SIGHUP)
            daemon.wait_for("reloaded")
            wait_until(lambda: second in rung(far), 20, lambda: daemon.said)
            scenario.write_text("trunk: {name: far, uri: sip:127.0.0.1, lines: many}\n")
            daemon.tell(signal.SIGHUP)
            assert "watch.yaml" in daemon.wait_for("reload_refused")["why"]
            assert {first, second} == rung(far)  # the pause outlived the reload
            store.resume(PauseKind.NUMBER, third, datetime.now(UTC))
            wait_until(lambda: third in rung(far), 20, lambda: daemon.said)
            assert 1 == len(daemon.lines("reload_refused"))
            assert daemon.process.poll() is None
    assert {1} == set(dialled(far).values())


def test_a_pause_outlives_a_kill(tmp_path, write):
    first, second = callees(2)
    with FarEnd(refusing) as far:
        scenario = write(far.port, callees=[first, second])
        with Daemon(tmp_path / "a", scenario) as daemon:
            with store_in(daemon.folder) as store:
                store.pause(PauseKind.NUMBER, second, "by hand", datetime.now(UTC))
            daemon.open_round(16, 2)
            far.wait_for("INVITE", 20)
            time.sleep(0.5)  # its end is on the disk
            daemon.kill()
        with Daemon(tmp_path / "a", scenario) as daemon:
            assert "1 of 2 calls placed" == daemon.wait_for("round", 40, state="done")["why"]
            assert "paused_number" in daemon.probe("status").stdout
    assert {first: 1} == {callee: count for (_, callee), count in dialled(far).items()}


def test_a_second_daemon_says_who_holds_the_store_and_leaves(tmp_path, write):
    scenario = write(9)
    with Daemon(tmp_path / "a", scenario) as daemon:
        daemon.wait_for("started")
        with Daemon(tmp_path / "a", scenario) as second:
            assert 3 == second.process.wait(20)
        words = f"process {daemon.process.pid}; stop it first, or name another store with --store."
        assert [f"probe: Another daemon works on this store: {words}"] == second.said.splitlines()
        assert [] == daemon.lines("failed")


def test_its_health_tells_of_a_broken_store_and_of_its_mending(tmp_path, write):
    with Daemon(tmp_path / "a", write(9)) as daemon:
        daemon.wait_for("started")
        wait_until(lambda: daemon.get("/healthz")[0] == 200)
        with sqlite3.connect(tmp_path / "a" / "probe.db", timeout=10) as other:
            other.execute("ALTER TABLE round RENAME TO gone")
        wait_until(lambda: daemon.get("/healthz")[0] == 503)
        assert "no such table: round" in daemon.get("/healthz")[1]
        time.sleep(2.5)  # some more ticks fail; nobody wants to read of each
        with sqlite3.connect(tmp_path / "a" / "probe.db", timeout=10) as other:
            other.execute("ALTER TABLE gone RENAME TO round")
        daemon.wait_for("recovered")
        wait_until(lambda: daemon.get("/healthz")[0] == 200)
        assert (1, 1) == (len(daemon.lines("failed")), len(daemon.lines("tick_failed")))
        assert 0 == daemon.stop()
    with store_in(daemon.folder) as store:
        assert ["tick_failed"] == [one.kind for one in store.incidents(datetime.now(UTC) - DAY)]


def test_the_stop_file_halts_at_once_and_is_the_reason_on_record(tmp_path, write):
    with FarEnd(refusing) as far:
        with Daemon(tmp_path / "a", write(far.port, callees=callees(5))) as daemon:
            daemon.open_round(10, 5)
            wait_until(lambda: len(rung(far)) >= 2, 20, lambda: daemon.said)
            daemon.stop_file.touch()
            time.sleep(0.2)  # a call that has been admitted may be on its way
            halted = rung(far)
            daemon.wait_for("round", 20, state="done")
            assert halted == rung(far)
            status = daemon.probe("status").stdout
        assert "STOPPED" in status
        assert f"stop_file  {5 - len(halted)}" in status


def test_rounds_that_were_missed_are_told_by_status(tmp_path, write):
    past = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=4)
    fresh_store(tmp_path)
    with store_in(tmp_path) as store:
        store.begin_round("watch@past", "watch", past, 1, planned_at=past, ends_at=past + timedelta(minutes=1))
        store.finish_round("watch@past", past, {})
    with Daemon(tmp_path, write(9, schedule="{every: 60s}")) as daemon:
        daemon.wait_for("round", state="missed")
        assert daemon.get("/metrics")[1].count('state="missed"') >= 1
        rounds = daemon.probe("status").stdout
        assert rounds.count("missed") >= 2
        assert "not running" in rounds


def old_blocks(folder, days):
    """Three calls of a number that was blocked so many days ago."""
    fresh_store(folder)
    with store_in(folder) as store:
        for number in range(3):
            at = datetime.now(UTC) - timedelta(days=days, minutes=-number)
            judged = refused(*BLOCKED_HERE, id=f"old-{number}", plan_key=f"{number}", at=at, network="a")
            store.begin(judged.record.request, at)
            store.finish(judged)


def test_it_drops_old_messages_by_itself_and_keeps_what_they_said(tmp_path, write):
    old_blocks(tmp_path / "a", 401)
    with Daemon(tmp_path / "a", write(9)) as daemon:
        assert 3 == daemon.wait_for("pruned")["calls"]
        shown = daemon.probe("show", "old-1").stdout
        assert 0 == daemon.stop()
    assert "Blocked by call analytics (analytics_blocked, certain)" in shown
    assert "They were dropped when their time was over" in shown
    with store_in(daemon.folder) as store:
        assert [()] * 3 == [record.messages for record in store.calls()]


def test_it_reminds_of_a_number_that_stays_blocked_once_and_not_after_a_restart(tmp_path, write):
    old_blocks(tmp_path / "a", 30)
    with Receiver() as receiver:
        scenario = write(9, url=receiver.url)
        events = "events: [number.standing_changed]\n  remind_every: 1d"
        scenario.write_text(scenario.read_text().replace("events: [round.completed, call.blocked]", events))
        for _ in range(2):
            with Daemon(tmp_path / "a", scenario) as daemon:
                # The first tick tells, and leaving delivers.
                wait_until(lambda: "probe_last_tick_timestamp_seconds 0.0" not in daemon.get("/metrics")[1])
                assert 0 == daemon.stop()
    bodies = [body for _, body in receiver.taken]
    assert [("a", True), (None, True)] == [(one["data"]["after"]["network"], one["data"]["reminder"]) for one in bodies]
    schema = document_schemas()["number.standing_changed"]
    for body in bodies:
        jsonschema.validate(body, schema)
        assert ["old-0", "old-1", "old-2"][-len(body["data"]["calls"]) :] == [
            one["id"] for one in body["data"]["calls"]
        ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--http", "9616"), "--http '9616' is no address; write it as 127.0.0.1:9616."),
        (("--http", "127.0.0.1:99999"), "is no address"),
    ],
)
def test_a_wrong_address_is_one_sentence(probe, write, options, words):
    said = probe("run", write(9), *options)
    assert 2 == said.code
    assert words in said.err
    assert 1 == len(said.err.splitlines())


def test_a_port_that_is_taken_is_one_sentence(probe, write):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = probe("run", write(9), "--http", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (2, 1) == (said.code, len([line for line in said.err.splitlines() if not line.startswith("{")]))


def test_a_file_without_a_schedule_is_not_watched(probe, write):
    path = write(9)
    path.write_text(path.read_text().replace(f"schedule: {NEVER}", ""))
    said = probe("run", path)
    assert (2, f"probe: {path} has no schedule; give it a `schedule:` with cron, every or calendar.\n") == (
        said.code,
        said.err,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_any_moment_it_dials_no_planned_call_twice(tmp_path, write, seed):
    chance, kills, numbers = random.Random(seed), 5, callees(60)
    with FarEnd(Ringing(0.3)) as far:
        scenario = write(far.port, callees=numbers)
        for kill in range(kills):
            with Daemon(tmp_path / "a", scenario) as daemon:
                if kill == 0:
                    daemon.open_round(90, len(numbers))
                if kill % 2:
                    time.sleep(chance.uniform(0.3, 2.5))
                else:  # while it rings
                    far.wait_for("INVITE", 20, count=len(far.requests("INVITE")) + 1)
                    time.sleep(chance.uniform(0, 0.25))
                daemon.kill()
    calls = dialled(far)
    assert {1} == set(calls.values()), calls
    with store_in(daemon.folder) as store:
        lost = store.mark_lost(datetime.now(UTC) + timedelta(minutes=3))
        begun = {(one.request.caller, one.request.callee) for one in store.calls()}
        assert set(calls) <= begun  # no INVITE without its attempt on the disk
        assert len(lost) >= kills / 2
        assert {Ending.LOST} == {one.ending for one in lost}
        assert len(begun) == store.history(datetime.now(UTC)).used["scenario", "watch"].calls
