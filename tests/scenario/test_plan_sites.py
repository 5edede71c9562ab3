"""What is planned where a scenario is called from several sites: each has every pair, and no number is rung twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from attempted import attempt

from probe.scenario.guard import Refusal
from probe.scenario.history import NOTHING, history_of
from probe.scenario.plan import ask_again_at, due, plan_key
from probe.scenario.round import OpenRound
from probe.scenario.scenario import Caller, Destination, Scenario, Schedule
from probe.trunk import Trunk

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
ROUND = OpenRound(id="watched@noon", scenario="watched", starts_at=NOON, ends_at=NOON + timedelta(minutes=1))
CALLERS, CALLEES = ("+12025550101", "+12025550102"), ("+12025550191", "+12025550192")
WATCHED = Scenario(
    name="watched",
    path="watched.yaml",
    trunk=Trunk(name="carrier-a", host="127.0.0.1"),
    callers=tuple(Caller(number=number) for number in CALLERS),
    destinations=tuple(Destination(number=number, consent="ours") for number in CALLEES),
    limits=None,
    schedule=Schedule(every_s=3600),
    ring_limit_ms=1_000,
    hold_ms=0,
)
EAST_AND_WEST = replace(WATCHED, sites=("east", "west"))


def look(scenario, history, now):
    numbers = count()
    return due(scenario, history, [ROUND], now, new_id=lambda: str(next(numbers)))


def play(scenario, seconds=60):
    """Tick once a second; each call ends at once."""
    attempts, asked = [], []
    for second in range(seconds):
        now = NOON + timedelta(seconds=second)
        for request in look(scenario, history_of(attempts, now=now), now).requests:
            asked.append(request)
            attempts.append(
                attempt(
                    now,
                    caller=request.caller,
                    callee=request.callee,
                    plan_key=request.plan_key,
                    round=ROUND.id,
                    site=request.site,
                    ended_at=now + timedelta(milliseconds=100),
                    ending="refused",
                )
            )
    return asked


def test_every_pair_is_called_once_from_each_site():
    asked = play(EAST_AND_WEST)
    every = {(site, caller, callee) for site in ("east", "west") for caller in CALLERS for callee in CALLEES}
    assert every == {(one.site, one.caller, one.callee) for one in asked}
    assert len(every) == len({one.plan_key for one in asked}) == len(asked)


def test_no_number_stands_in_two_calls_of_one_tick_whatever_their_sites():
    requests = look(EAST_AND_WEST, NOTHING, NOON + timedelta(seconds=30)).requests
    numbers = [number for one in requests for number in (one.caller, one.callee)]
    assert len(set(numbers)) == len(numbers) > 0


def test_the_site_that_has_called_the_least_comes_first():
    asked = play(replace(EAST_AND_WEST, callers=WATCHED.callers[:1], destinations=WATCHED.destinations[:1]))
    assert ["east", "west"] == [one.site for one in asked]
    one_caller = play(replace(EAST_AND_WEST, callers=WATCHED.callers[:1]))
    assert {"east", "west"} == {one.site for one in one_caller[:2]}


def test_a_round_is_over_when_it_is_at_every_site():
    keys = [
        plan_key("watched", caller, callee, "2026-11-23T17:00Z", site=site)
        for site in ("east", "west")
        for caller in CALLERS
        for callee in CALLEES
    ]
    later = NOON + timedelta(seconds=20)
    one_left, none_left = (history_of((), now=later, refused=some) for some in (keys[:-1], keys))
    assert ((), (ROUND.id,)) == tuple(look(EAST_AND_WEST, past, later).finished for past in (one_left, none_left))


def test_the_keys_of_this_machine_are_as_they_were():
    assert "a|b|c|d|0" == plan_key("a", "b", "c", "d")
    assert "a|b|c|d|2|east" == plan_key("a", "b", "c", "d", 2, "east")


def refusal(rule, until=None):
    return Refusal(request=look(WATCHED, NOTHING, NOON).requests[0], rule=rule, why="It is so.", until=until)


@pytest.mark.parametrize(
    ("rule", "until_s", "again_s"),
    [
        ("per_caller", 30, 30),
        ("per_caller", 60, None),
        ("calls_per_day", None, None),
        ("stop_file", None, 2),
        ("paused_trunk", None, 2),
        ("destination_busy", 50, 2),
    ],
)
def test_a_refused_call_is_asked_about_again_where_that_may_help(rule, until_s, again_s):
    refused = refusal(rule, None if until_s is None else NOON + timedelta(seconds=until_s))
    expected = None if again_s is None else NOON + timedelta(seconds=again_s)
    assert expected == ask_again_at(refused, NOON, NOON + timedelta(seconds=60))
