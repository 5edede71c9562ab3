"""A fleet whose truth is known, called for fifty days over the real road: standing, signals and events come out so.

Only the network is made up: what it answers to each call follows from the truth below, by chance with a seed. Twelve
caller IDs, four networks with a test line each, one round a day; the last caller ID is the control.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from placed import BLOCKED, answered, refused

from probe import announce
from probe.event import Endpoint
from probe.health import Signal, State
from probe.health.signals import attach, find_signals
from probe.ledger import Ledger
from probe.rounds import Road, place_call
from probe.scenario.guard import Allowed
from probe.store import open_store

# The first test waits for some 2,400 calls, which one worker places for all of them.
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("known_truth")]

DAYS = 50
FIRST_DAY = datetime(2026, 9, 1, 14, 0, tzinfo=UTC)
NETWORKS = {"+12125550190": "att", "+12125550191": "t-mobile", "+12125550192": "us-cellular", "+12125550193": "verizon"}
CALLERS = tuple(f"+120255501{n:02}" for n in range(12))
CONTROL = CALLERS[-1]
SOLAR = CALLERS[:3]  # a campaign whose numbers are blocked on verizon, from day 20 to the end
EVERYWHERE = CALLERS[3]  # blocked half of the time on all networks, from day 30 to the end
LIFTED = CALLERS[4]  # blocked on att from day 10 to day 25
SILENT = CALLERS[5]  # refused on t-mobile by a machine that does not say so, from day 15 to the end
TIRED = CALLERS[6]  # people decline it, four times as often from day 35 on
CLEAN = CALLERS[7:]
STRAY = 0.01
EVENTS = Endpoint(
    name="https://hooks.example.com/",
    url="https://hooks.example.com/",
    secret="whsec_" + "A" * 32,
    types=frozenset({"number.standing_changed", "call.blocked", "round.completed"}),
)


@dataclass
class Network:
    """What answers: an agent to the road."""

    day: int = 0
    chance: random.Random = None

    async def place(self, request):
        at = FIRST_DAY + timedelta(days=self.day, seconds=self.chance.randrange(20_000))
        given = {
            name: getattr(request, name) for name in ("id", "caller", "callee", "network", "campaign", "control_of")
        }
        answer = self.answer(request, at, given)
        return replace(answer.record, request=request)

    def answer(self, request, at, given):
        if self.chance.random() < self.blocked(request):
            return refused(*BLOCKED, at=at, ms=self.chance.uniform(50, 120), **given)
        if request.caller == SILENT and request.network == "t-mobile" and self.day >= 15:
            return refused("603 Decline", at=at, ms=self.chance.uniform(50, 120), **given)
        if self.chance.random() < (0.4 if request.caller == TIRED and self.day >= 35 else 0.1):
            return refused("603 Decline", at=at, rang_ms=self.chance.uniform(800, 2_000), ms=9_000, **given)
        return answered(at=at, ms=self.chance.uniform(3_000, 9_000), **given)

    def blocked(self, request):
        day, caller, network = self.day, request.caller, request.network
        if caller in SOLAR and network == "verizon" and day >= 20:
            return 0.9
        if caller == EVERYWHERE and day >= 30:
            return 0.5
        if caller == LIFTED and network == "att" and 10 <= day < 25:
            return 0.9
        return STRAY


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The store after fifty days."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('truth') / 'probe.db'}")
    asyncio.run(_fifty_days(store))
    yield store
    store.close()


async def _fifty_days(store):
    network, ids = Network(chance=random.Random(603)), count()
    for network.day in range(DAYS):
        road = _road(network, store, ids)
        for caller in CALLERS:
            for callee in NETWORKS:
                judged = await place_call(_request(caller, callee, next(ids)), road)
                if judged.verdict.disposition in {"rejected_ambiguous", "analytics_suspected"}:
                    await place_call(_request(CONTROL, callee, next(ids), control_of=judged.record.request.id), road)


def _road(network, store, ids):
    return Road(
        agent=network,
        store=Ledger(store),
        allowed=Allowed(
            callers=frozenset(CALLERS),
            destinations=dict.fromkeys(NETWORKS, "our own line"),
            limits=None,
            trunk_on_loopback=True,
        ),
        new_id=lambda: f"msg_{next(ids)}",
        now=lambda: FIRST_DAY + timedelta(days=network.day),
        announce=announce,
        endpoint=EVENTS,
        calls_per_second=1e9,
    )


def _request(caller, callee, number, control_of=None):
    from placed import request  # noqa: PLC0415 - its name is taken here

    return request(
        id=f"call-{number}",
        plan_key=f"plan-{number}",
        caller=caller,
        callee=callee,
        network=NETWORKS[callee],
        campaign="solar" if caller in SOLAR else "support",
        control_of=control_of,
        consent="our own line",
    )


@pytest.fixture(scope="module")
def standings(told):
    plain = told.standings()
    found = attach(plain, find_signals(told.tallies(), plain))
    return {(one.caller, one.network): one for one in found}


@pytest.fixture(scope="module")
def signals(told):
    return find_signals(told.tallies(), told.standings())


@pytest.fixture(scope="module")
def changes(told):
    deliveries = told.outbox.deliveries(endpoint=EVENTS.name)
    return [one.event for one in reversed(deliveries) if one.event.type == "number.standing_changed"]


def states(standings, caller):
    return {network or "whole": one.standing for (number, network), one in standings.items() if number == caller}


def day_of(moment):
    return (moment - FIRST_DAY).days


def test_a_campaign_is_blocked_on_one_network_and_clean_on_the_others(standings):
    for caller in SOLAR:
        found = states(standings, caller)
        assert State.BLOCKED == found.pop("verizon") == found.pop("whole")
        assert {State.CLEAN} == set(found.values())
        assert 20 <= day_of(standings[caller, "verizon"].since) <= 22


def test_a_number_that_is_blocked_half_of_the_time_is_blocked_everywhere(standings):
    assert {State.BLOCKED} == set(states(standings, EVERYWHERE).values())
    assert standings[EVERYWHERE, "att"].interval[0] <= 0.25 + STRAY <= standings[EVERYWHERE, "att"].interval[1]


def test_a_block_that_was_lifted_is_history(standings):
    assert State.CLEAN is standings[LIFTED, "att"].standing
    assert 23 <= day_of(standings[LIFTED, "att"].since) <= 26  # one call in ten got through to the end
    (notice,) = standings[LIFTED, "att"].notices
    assert day_of(notice.first_seen) == 10
    assert 22 <= min(24, day_of(notice.last_seen))


def test_a_silent_block_is_proven_by_its_control_calls(standings):
    found = states(standings, SILENT)
    assert State.BLOCKED is found["t-mobile"]
    assert {State.CLEAN} == {state for network, state in found.items() if network not in {"t-mobile", "whole"}}


def test_clean_numbers_are_never_called_blocked(standings, changes):
    for caller in CLEAN:
        assert {State.CLEAN} == set(states(standings, caller).values())
    accused = {event.subject for event in changes if event.data["after"]["standing"] == "blocked"}
    assert {*SOLAR, EVERYWHERE, LIFTED, SILENT} == accused


def test_each_block_is_told_within_days_of_its_start_and_of_its_end(changes):
    def days(caller, network, state):
        return [
            day_of(event.timestamp)
            for event in changes
            if (event.subject, event.data["after"]["network"]) == (caller, network)
            and event.data["after"]["standing"] == state
        ]

    for caller in SOLAR:
        assert 20 <= days(caller, "verizon", "blocked")[0] <= 25
    assert 10 <= days(LIFTED, "att", "blocked")[0] <= 15
    lifted = [day for day in days(LIFTED, "att", "clean") if day >= 25]
    assert 25 <= lifted[0] <= 25 + 20
    for network in NETWORKS.values():
        assert 30 <= days(EVERYWHERE, network, "blocked")[0] <= 45


def test_an_event_names_the_calls_that_changed_the_standing(changes):
    blocked = next(
        event for event in changes if event.subject == SOLAR[0] and event.data["after"]["standing"] == "blocked"
    )
    assert {"unknown", "clean", "suspect"} >= {blocked.data["before"]["standing"]}
    assert 3 <= len(blocked.data["calls"])


def test_signals_say_what_ties_the_blocks_together(signals):
    def found(**wanted):
        return [one for one in signals if all(getattr(one, name) == value for name, value in wanted.items())]

    for caller in SOLAR:
        assert found(kind="cluster", dimension="network", value="verizon", caller=caller) or found(
            kind="cluster", dimension="destination", value="+12125550193", caller=caller
        )
    assert found(kind="silent_block", caller=SILENT)
    (risen,) = found(kind="declines_rose", caller=TIRED)
    assert date(2026, 10, 6) - timedelta(days=4) <= _day(risen) <= date(2026, 10, 6) + timedelta(days=7)


def _day(signal: Signal):
    return signal.since.date()


def test_signals_accuse_nobody_who_is_clean(signals):
    accused = Counter(one.caller for one in signals if one.caller in CLEAN)
    assert Counter() == accused


def test_the_redress_book_has_a_case_for_each_number_that_a_notice_named(told):
    book = {(case.caller, case.blocker) for case in told.cases()}
    assert {(caller, "redress.example.com") for caller in (*SOLAR, EVERYWHERE, LIFTED)} <= book
    assert (SILENT, "redress.example.com") not in book or STRAY
