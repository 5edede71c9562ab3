"""Rounds on a schedule, the lease of the one daemon, incidents, and an old store that is brought up to date."""

import os
import subprocess
import sys
from datetime import timedelta

import old_store

from probe.scenario.history import Used
from probe.scenario.round import OpenRound, RoundState
from probe.store import open_store, this_process

HOUR = timedelta(hours=1)


def begin(store, now, round_id="r1", scenario="health"):
    return store.begin_round(round_id, scenario, now, 6, planned_at=now, ends_at=now + HOUR)


def test_a_scheduled_round_is_open_until_it_is_finished(store, now):
    assert begin(store, now)
    expected = OpenRound(id="r1", scenario="health", starts_at=now, ends_at=now + HOUR)
    assert (expected,) == store.open_rounds("health")
    assert () == store.open_rounds("other")
    store.finish_round("r1", now + HOUR, {"placed": 6})
    assert () == store.open_rounds("health")
    (done,) = store.rounds(now)
    assert (RoundState.DONE, {"placed": 6}, now + HOUR) == (done.state, done.counts, done.ended_at)


def test_a_round_that_nobody_scheduled_is_never_gone_on_with(store, now):
    assert store.begin_round("check", "health", now, 6)
    assert () == store.open_rounds("health")


def test_two_daemons_begin_the_round_of_a_moment_once(store, url, now):
    other = open_store(url)
    assert [True, False] == [begin(store, now), begin(other, now, "r2")]
    assert not other.record_round("r3", "health", now, RoundState.MISSED, "the daemon was down")
    assert ["r1"] == [one.id for one in other.rounds(now)]
    other.close()


def test_a_round_that_does_not_take_place_is_a_row_with_its_reason(store, now):
    assert store.record_round("r1", "health", now, RoundState.MISSED, "the daemon was down")
    assert store.record_round("r2", "health", now + HOUR, RoundState.SKIPPED, "the one before was under way")
    assert () == store.open_rounds("health")
    expected = [("r2", RoundState.SKIPPED, now + HOUR), ("r1", RoundState.MISSED, now)]
    assert expected == [(one.id, one.state, one.planned_at) for one in store.rounds(now)]
    assert "the daemon was down" == store.rounds(now)[1].why


def test_open_rounds_survive_reopening(store, url, now):
    begin(store, now)
    store.close()
    again = open_store(url)
    assert ["r1"] == [one.id for one in again.open_rounds("health")]
    again.close()


def test_incidents_are_rows(store, now):
    store.record_incident("tick_missed", now - HOUR, now)
    store.record_incident("tick_failed", now, now + HOUR)
    assert [("tick_failed", now), ("tick_missed", now - HOUR)] == [(one.kind, one.at) for one in store.incidents(now)]
    assert ["tick_failed"] == [one.kind for one in store.incidents(now + HOUR)]


def test_one_owner_holds_the_lease_and_renews_it(store, now):
    assert store.hold("a", now, now + HOUR)
    assert store.hold("a", now, now + 2 * HOUR)
    assert not store.hold("b", now + HOUR, now + 3 * HOUR)
    assert "a" == store.holder(now + HOUR)


def test_a_lease_that_was_not_renewed_is_free(store, now):
    store.hold("a", now, now + HOUR)
    assert store.holder(now + HOUR) is None
    assert store.hold("b", now + HOUR, now + 2 * HOUR)
    assert not store.hold("a", now + HOUR, now + 2 * HOUR)


def test_a_lease_that_is_given_back_is_free_and_nobody_gives_back_anothers(store, now):
    store.hold("a", now, now + HOUR)
    store.release("b")
    assert not store.hold("b", now, now + HOUR)
    store.release("a")
    assert store.hold("b", now, now + HOUR)


HOLD = """
import sys
from datetime import UTC, datetime, timedelta
from probe.store import open_store, this_process
store = open_store({url!r})
print(store.hold(this_process(), datetime({now}, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)), flush=True)
sys.stdin.readline()
"""


def test_the_lease_of_a_killed_process_is_taken_over_and_that_of_a_living_one_is_not(store, url, now):
    script = HOLD.format(url=url, now="2026, 11, 22")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:
        assert "True\n" == process.stdout.readline()
        assert not store.hold(this_process(), now, now + HOUR)
        assert store.holder(now) is not None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has collected it yet
        assert store.hold(this_process(), now, now + HOUR)
    assert this_process() == store.holder(now)


def test_of_a_process_elsewhere_nothing_is_known_but_its_lease(store, now):
    store.hold("another-boot:4026531836/1/100", now, now + HOUR)
    assert not store.hold(this_process(), now, now + HOUR)


def test_a_store_of_the_first_schema_is_brought_up_to_date_and_its_calls_count(empty_url, now):
    begun = {"id": "r", "scenario": "s", "started_at": now, "planned": 1}
    old_store.make(empty_url, "0001", ("round", begun), *calls(now))
    store = open_store(empty_url)
    expected = Used(calls=3, talk_ms=14_000, minutes=2, oldest_at=now)
    assert expected == store.history(now).used["trunk", "t"]
    assert [RoundState.STOPPED] == [one.state for one in store.rounds(now)]
    store.close()


def calls(now):
    """Four calls of the first schema, one with each ending that counts in its own way."""
    for call_id, ending in (("1", "answered"), ("2", "refused"), ("3", None), ("4", "guarded")):
        ids = {"id": call_id, "plan_key": call_id, "trunk": "t", "site": "local"}
        numbers = {"caller": "+12025550101", "callee": "+12025550191", "ring_limit_ms": 25_000, "hold_ms": 6_000}
        yield "call", ids | numbers | {"started_at": now, "ended_at": now if ending else None, "ending": ending}
