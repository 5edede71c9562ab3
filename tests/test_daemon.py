"""The daemon's tick with a real store, a clock that is a plain object, and an agent that keeps whom it rang."""

import asyncio
import sqlite3
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from databases import fresh_store
from sqlalchemy import event

from probe import announce
from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.daemon import Daemon, change, tick, watch
from probe.errors import StoreError
from probe.event import Endpoint
from probe.judged import judge_call
from probe.rounds import Road
from probe.scenario.guard import allowed_by
from probe.scenario.history import PauseKind
from probe.scenario.round import RoundState
from probe.scenario.scenario import Caller, Destination, Hours, Limits, Scenario, Schedule
from probe.store import open_store
from probe.store.schema import account
from probe.store.standing import mark_stale
from probe.trunk import Trunk

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALLERS = ("+12025550101", "+12025550102", "+12025550103")
CALLEES = ("+12025550190", "+12025550191")
PAIRS = sorted((caller, callee) for caller in CALLERS for callee in CALLEES)
ENDPOINT = Endpoint(
    name="https://hooks.example.com/",
    url="https://hooks.example.com/",
    secret="whsec_" + "A" * 32,
    types=frozenset({"call.blocked", "round.completed"}),
)
INVITE = b"INVITE sip:+12025550190@example.com SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"
OK = b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n"
BLOCKED = (
    b"SIP/2.0 603 Network Blocked\r\nCSeq: 1 INVITE\r\n"
    b'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN\r\n\r\n'
)


class Wall:
    """What time it is."""

    def __init__(self, now=NOON - SECOND):
        self.now = now


class Starts:
    """A clock that knows these moments and no others."""

    def __init__(self, *moments):
        self.moments = sorted(moments)

    def next_start(self, _schedule, after):
        return next((moment for moment in self.moments if moment > after), None)

    def starts_between(self, _schedule, after, until, most):
        return tuple(moment for moment in self.moments if after < moment <= until)[-most:]


class FarEnd:
    """An agent that answers, or blocks, every call; it keeps who was rung, when, and how many at once."""

    def __init__(self, wall, *, final=OK, seconds=0.0, padding=0):
        self.wall = wall
        self.final = final
        self.seconds = seconds
        self.padding = padding
        self.placed = []
        self.starts = []
        self.under_way = []
        self.most = 0
        self.on_call = lambda: None
        self.left = asyncio.Event()

    @property
    def pairs(self):
        return sorted((request.caller, request.callee) for request in self.placed)

    async def place(self, request):
        assert request.callee not in {other.callee for other in self.under_way}, "a destination is rung once at a time"
        self.placed.append(request)
        self.starts.append(time.monotonic())
        self.under_way.append(request)
        self.left.set()
        self.most = max(self.most, len(self.under_way))
        began = self.wall.now
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way.remove(request)
        self.on_call()
        return record(request, began, self.wall.now, self.final, self.padding)


def record(request, began, ended, final=OK, padding=0):
    def message(direction, at_ms, raw):
        return Message(at_ms=at_ms, direction=direction, transport="UDP", local="a:1", remote="b:2", raw=raw)

    ending = Ending.ANSWERED if final is OK else Ending.REFUSED
    heard = (message(Direction.SENT, 0.0, INVITE + b"x" * padding), message(Direction.RECEIVED, 40.0, final))
    return CallRecord(request=request, started_at=began, ended_at=ended, ending=ending, messages=heard)


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.calls, self.refusals, self.rounds, self.errors = [], [], [], []

    def called(self, judged):
        self.calls.append(judged)

    def refused(self, refusal):
        self.refusals.append(refusal)

    def round_changed(self, scenario, round_id, state, why):
        self.rounds.append((scenario, round_id, state, why))

    def failed(self, error):
        self.errors.append(str(error))


class House:
    """A daemon with all its parts; `restart` is what a kill and a new start leave: the store."""

    def __init__(self, store, *scenarios, wall=None, clock=None, agent=None, **road):
        self.store = store
        self.scenarios = scenarios or (scenario(),)
        self.wall = wall or Wall()
        self.clock = clock or Starts(NOON, NOON + 2 * MINUTE)
        self.agent = agent or FarEnd(self.wall)
        self._road = road
        self._ids = count()
        self.restart()

    def restart(self):
        self.listener = Listener()
        self.daemon = Daemon(store=self.store, clock=self.clock, listener=self.listener, new_id=self.new_id)
        self.watched = [watch(one, self.road(one), self.daemon, self.wall.now) for one in self.scenarios]

    def new_id(self):
        return f"id-{next(self._ids)}"

    def road(self, scenario):
        fields = {"calls_per_second": 1000.0, "lines": scenario.trunk.lines, "endpoint": ENDPOINT} | self._road
        return Road(
            agent=self.agent,
            store=self.daemon.ledger,
            allowed=allowed_by(scenario),
            new_id=self.new_id,
            now=lambda: self.wall.now,
            announce=announce,
            **fields,
        )

    async def tick(self, *, settled=True):
        await tick(self.watched, self.daemon, self.wall.now)
        if settled and self.daemon.under_way:
            await asyncio.wait(tuple(self.daemon.under_way))

    async def live(self, seconds, *, settled=True):
        for _ in range(seconds):
            await self.tick(settled=settled)
            self.wall.now += SECOND

    def live_through(self, seconds):
        asyncio.run(self.live(seconds))

    def states(self):
        """What became of the rounds, the oldest first."""
        return [(one.planned_at, one.state) for one in reversed(self.store.rounds(NOON - 400 * DAY))]


def scenario(name="nightly", callers=CALLERS, callees=CALLEES, **changes):
    fields = {
        "trunk": Trunk(name="carrier-a", host="127.0.0.1", lines=4),
        "callers": tuple(Caller(number=number) for number in callers),
        "destinations": tuple(Destination(number=number, consent="our own line", network="a") for number in callees),
        "ring_limit_ms": 1_000,
        "hold_ms": 300,
        "limits": None,
        "schedule": Schedule(every_s=120),
        "endpoint": ENDPOINT,
    }
    return Scenario(name=name, path=f"{name}.yaml", **(fields | changes))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("probe.store.opening._BUSY_TIMEOUT_S", 0.05)
    opened = open_store(fresh_store(tmp_path))
    opened.path = tmp_path / "probe.db"
    yield opened
    opened.close()


# Rounds.


def test_a_round_starts_when_its_time_comes_and_places_every_call_once(store):
    house = House(store, clock=Starts(NOON + 10 * SECOND, NOON + 2 * MINUTE))
    house.live_through(10)
    assert [] == house.agent.placed
    house.live_through(60)
    assert PAIRS != house.agent.pairs[:6]  # they are spread over the round
    house.live_through(50)
    assert PAIRS == house.agent.pairs[:6]
    assert (NOON + timedelta(seconds=10), RoundState.DONE) == house.states()[0]
    assert 6 == len({request.plan_key for request in house.agent.placed[:6]})


def test_the_end_of_a_round_is_told_with_its_counts(store):
    house = House(store)
    house.live_through(110)
    completed = [one.event for one in store.outbox.deliveries() if one.event.type == "round.completed"]
    assert [(6, 6)] == [(one.data["counts"]["planned"], one.data["counts"]["placed"]) for one in completed]
    assert ("nightly", "nightly@2026-11-22T12:00:00Z", RoundState.DONE, "6 of 6 calls placed") in house.listener.rounds


def test_rounds_that_were_missed_are_recorded_and_not_caught_up(store):
    house = House(store, clock=Starts(*(NOON + n * HOUR for n in range(6))))
    house.live_through(5)
    before = len(house.agent.placed)
    house.wall.now = NOON + 4 * HOUR + MINUTE  # nobody was there for hours
    house.restart()
    house.live_through(20)
    assert [RoundState.MISSED] * 4 == [state for _, state in house.states()[1:]]
    assert before == len(house.agent.placed)
    assert all("not running" in why for _, _, state, why in house.listener.rounds if state is RoundState.MISSED)


def test_a_start_that_is_a_few_seconds_old_is_not_missed(store):
    house = House(store, wall=Wall(NOON - MINUTE))
    house.wall.now = NOON + timedelta(seconds=20)
    house.live_through(90)
    assert PAIRS == house.agent.pairs


def test_an_outage_without_end_is_told_in_a_bounded_number_of_rows(store, monkeypatch):
    monkeypatch.setattr("probe.daemon._MOST_MISSED", 50)
    house = House(store, clock=Starts(*(NOON + timedelta(seconds=n) for n in range(2_000))))
    house.live_through(1)
    house.wall.now += HOUR
    house.live_through(2)
    missed = [why for _, _, state, why in house.listener.rounds if state is RoundState.MISSED]
    assert 50 == len(missed)
    assert "nor at the times before" in missed[0]
    assert not any("nor at" in why for why in missed[1:])


def test_a_round_that_would_overlap_itself_is_skipped(store):
    house = House(store, clock=Starts(NOON, NOON + MINUTE, NOON + 10 * MINUTE))

    async def hang():
        house.agent.seconds = 60
        await house.live(62, settled=False)
        house.daemon.leaving = True
        for task in tuple(house.daemon.under_way):
            task.cancel()

    asyncio.run(hang())
    assert (NOON + MINUTE, RoundState.SKIPPED) in house.states()
    assert "still under way" in next(why for _, _, state, why in house.listener.rounds if state is RoundState.SKIPPED)


def test_a_round_whose_time_was_over_while_nobody_was_there_does_not_keep_the_next_one_out(store):
    house = House(store, clock=Starts(NOON, NOON + MINUTE, NOON + HOUR, NOON + HOUR + 2 * MINUTE))
    house.live_through(3)
    house.wall.now = NOON + HOUR + timedelta(seconds=5)
    house.restart()
    house.live_through(110)
    assert [RoundState.DONE, RoundState.MISSED, RoundState.DONE] == [state for _, state in house.states()]


def test_a_changed_schedule_begins_now_and_misses_nothing(store):
    house = House(store, clock=Starts(*(NOON + n * HOUR for n in range(6))))
    house.wall.now = NOON + 3 * HOUR + MINUTE
    house.watched[0].seen = NOON
    edited = scenario(schedule=Schedule(every_s=3600))
    change(house.watched[0], edited, house.road(edited), house.daemon, house.wall.now)
    house.live_through(3)
    assert [] == house.states()
    assert NOON + 4 * HOUR == house.watched[0].next_at


# Restarts and clocks.


@pytest.mark.parametrize("seed", range(4))
def test_killed_and_started_again_it_dials_no_planned_call_twice(store, seed):
    house = House(store, scenario(callers=tuple(f"+120255501{n:02}" for n in range(8))))

    async def lives():
        for life in range(40):
            house.restart()
            house.agent.seconds = 30 if (life + seed) % 4 == 0 else 0
            await house.live(2 + (life * 7 + seed) % 5, settled=house.agent.seconds == 0)
            await asyncio.sleep((life % 3) * 0.01)
            for task in tuple(house.daemon.under_way):
                task.cancel()  # as a kill would: not one more word to the store
            await asyncio.gather(*house.daemon.under_way, return_exceptions=True)
            if house.wall.now > NOON + 2 * MINUTE - timedelta(seconds=5):
                return

    asyncio.run(lives())
    keys = [request.plan_key for request in house.agent.placed]
    assert len(keys) == len(set(keys)) > 5
    attempts = store.history(house.wall.now, HOUR).rounds["nightly@2026-11-22T12:00:00Z"]
    attempted = [attempt.plan_key for attempt in attempts]
    # The limits count each, and an attempt whose process died before its INVITE left.
    assert len(attempted) == len(set(attempted))
    assert set(keys) <= set(attempted)


def test_a_call_whose_process_died_is_told_to_be_lost(store):
    house = House(store)

    async def die():
        house.agent.seconds = 30
        await house.live(3, settled=False)
        await asyncio.wait_for(house.agent.left.wait(), 10)
        for task in tuple(house.daemon.under_way):
            task.cancel()
        await asyncio.gather(*house.daemon.under_way, return_exceptions=True)

    asyncio.run(die())
    begun = len(house.agent.placed)
    assert begun >= 1
    house.agent.seconds = 0
    house.restart()
    house.live_through(118)
    lost = [judged.record for judged in house.listener.calls if judged.record.ending is Ending.LOST]
    assert begun == len(lost)
    assert PAIRS == house.agent.pairs  # the others were placed, these not again


def test_the_clock_goes_back_an_hour_and_nothing_is_dialled_twice(store):
    house = House(store, clock=Starts(*(NOON + n * 2 * MINUTE for n in range(-40, 40))))
    house.live_through(115)
    placed, rounds = len(house.agent.placed), house.states()
    house.wall.now -= HOUR
    house.live_through(130)
    assert (placed, rounds) == (len(house.agent.placed), house.states())
    house.restart()  # a daemon that was started at the wrong time knows of no later one
    house.live_through(240)
    keys = [request.plan_key for request in house.agent.placed]
    assert len(keys) == len(set(keys))


def test_the_clock_goes_a_day_ahead_and_there_is_no_burst(store, monkeypatch):
    monkeypatch.setattr("probe.daemon._MOST_MISSED", 50)  # each is a write
    house = House(store, clock=Starts(*(NOON + n * 2 * MINUTE for n in range(2_000))))
    house.live_through(20)
    before = len(house.agent.placed)
    house.wall.now += DAY
    house.live_through(10)
    assert len(house.agent.placed) - before <= 2  # at most the first of the round of this minute
    assert {"round_over"} == {refusal.rule for refusal in house.listener.refusals}
    assert 6 - before == len(house.listener.refusals)
    keys = [request.plan_key for request in house.agent.placed]
    assert len(keys) == len(set(keys))


# What is told again.


def standings_told(store, *, reminders):
    return [
        (one.endpoint, one.event.data["after"]["caller"][-3:], one.event.data["after"]["network"])
        for one in reversed(store.outbox.deliveries())
        if one.event.type == "number.standing_changed" and one.event.data["reminder"] is reminders
    ]


def reminding(every, name="https://hooks.example.com/", types=("number.standing_changed",)):
    seconds = None if every is None else int(every.total_seconds())
    return replace(ENDPOINT, name=name, types=frozenset(types), remind_every_s=seconds)


def blocked_caller(store, number=CALLERS[0]):
    """A caller ID that is blocked on network a, as the daemon finds it in the store."""
    for at in range(3):
        call = CallRequest(
            id=f"{number}-{at}", plan_key=f"{number}-{at}", trunk="x", caller=number, callee=CALLEES[0], network="a"
        )
        began = NOON - DAY + at * MINUTE
        store.begin(call, began)
        store.finish(judge_call(record(call, began, began + SECOND, BLOCKED)))


def watching(store, *scenarios):
    """A daemon to which no round comes."""
    return House(store, *scenarios, clock=Starts(NOON + 900 * DAY))


ONE_OF_EACH = [("https://hooks.example.com/", "101", "a"), ("https://hooks.example.com/", "101", None)]


def test_a_number_that_stays_blocked_is_told_again_as_often_as_the_file_asks(store):
    blocked_caller(store)
    house = watching(store, scenario(endpoint=reminding(DAY)))
    for hour in range(3 * 24):
        house.wall.now = NOON + hour * HOUR
        house.live_through(3)
    assert 3 * ONE_OF_EACH == standings_told(store, reminders=True)
    assert [] == standings_told(store, reminders=False)


def test_a_restart_tells_nothing_again(store):
    blocked_caller(store)
    house = watching(store, scenario(endpoint=reminding(DAY)))
    for _ in range(5):
        house.live_through(2)
        house.restart()
    assert ONE_OF_EACH == standings_told(store, reminders=True)


@pytest.mark.parametrize("endpoint", [None, reminding(None), reminding(DAY, types=("call.blocked",))])
def test_who_did_not_ask_is_not_told_again(store, endpoint):
    blocked_caller(store)
    watching(store, scenario(endpoint=endpoint)).live_through(3)
    assert [] == standings_told(store, reminders=True)


def test_only_the_numbers_of_the_file_are_told_of(store):
    blocked_caller(store, "+12025550109")
    house = watching(store, scenario(endpoint=reminding(DAY)))
    house.live_through(3)
    assert [] == standings_told(store, reminders=True)
    house.scenarios = (scenario(control="+12025550109", endpoint=reminding(DAY)),)
    house.restart()
    house.live_through(3)
    assert ["109", "109"] == [caller for _, caller, _ in standings_told(store, reminders=True)]


def test_two_files_with_one_number_tell_both_endpoints(store):
    blocked_caller(store)
    one, other = "https://one.example.com/", "https://other.example.com/"
    both = [
        scenario("nightly", endpoint=reminding(DAY, one)),
        scenario("hourly", callers=CALLERS[:1], endpoint=reminding(12 * HOUR, other)),
    ]
    house = watching(store, *both)
    house.live_through(3)
    house.wall.now = NOON + 13 * HOUR  # the shorter interval holds
    house.live_through(3)
    assert {one: 4, other: 4} == Counter(name for name, _, _ in standings_told(store, reminders=True))


def test_what_an_import_changed_is_told_within_a_minute(store):
    house = watching(store, scenario(endpoint=reminding(None)))
    house.live_through(2)
    blocked_caller(store)
    with store._database.writing() as connection:
        connection.execute(account.delete())  # as if nobody had added these calls up
        mark_stale(connection, [CALLERS[0]])
    house.live_through(62)
    assert ONE_OF_EACH == standings_told(store, reminders=False)


def test_many_reminders_are_spread_over_the_ticks(store):
    callers = tuple(f"+120255501{number:02}" for number in range(12))
    for number in callers:
        blocked_caller(store, number)
    house = watching(store, scenario(callers=callers, endpoint=reminding(DAY)))
    house.live_through(1)
    assert 0 < len(standings_told(store, reminders=True)) < 24
    house.live_through(4)
    assert 24 == len(set(standings_told(store, reminders=True)))


# A store in trouble.


@contextmanager
def locked(store):
    with sqlite3.connect(store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def pragma(store, *words):
    """Let SQLite itself refuse, on every connection."""
    engine = store._database.engine

    def set_up(connection, _record):
        for word in words:
            connection.execute(f"PRAGMA {word}")

    event.listen(engine, "connect", set_up)
    engine.dispose()
    yield
    event.remove(engine, "connect", set_up)
    engine.dispose()


def read_only(store):
    return pragma(store, "query_only = ON")


def full(store):
    return pragma(store, "max_page_count = 1")


@pytest.mark.parametrize(
    ("trouble", "words"), [(locked, "is locked"), (read_only, "is read-only"), (full, "the disk is full")]
)
def test_nothing_is_dialled_that_cannot_be_recorded(store, trouble, words):
    house = House(store, agent=None)
    house.agent.padding = 300_000  # a full disk takes what fits into the pages that are there already

    async def go():
        await house.live(2)
        before = len(house.agent.placed)
        with trouble(store):
            heard = []
            for _ in range(20):
                try:
                    await house.tick()
                except StoreError as error:
                    heard.append(str(error))
                house.wall.now += SECOND
        return before, [*heard, *house.listener.errors]

    before, heard = asyncio.run(go())
    assert heard
    assert all(words in sentence for sentence in heard)
    # A disk may fill up between the attempt and its end: the one call that was begun is kept, and no other follows.
    assert len(house.agent.placed) - before <= (1 if trouble is full else 0)
    house.live_through(100)
    assert PAIRS == house.agent.pairs
    assert {Ending.ANSWERED} == {one.ending for one in store.calls()}


@pytest.mark.parametrize("trouble", [locked, read_only])
def test_a_call_whose_end_could_not_be_written_is_not_lost(store, trouble):
    house = House(store)
    house.agent.final = BLOCKED
    held = []

    def take_the_store_away():
        held.append(trouble(store))
        held[0].__enter__()
        house.agent.on_call = lambda: None

    async def go():
        house.agent.on_call = take_the_store_away
        while not house.agent.placed:
            await house.live(1)
        assert [1] == [len(house.listener.errors)]  # one sentence about the end of the call
        placed = len(house.agent.placed)
        for _ in range(3):
            house.wall.now += 5 * SECOND
            with pytest.raises(StoreError):
                await house.tick()
        assert placed == len(house.agent.placed)
        held[0].__exit__(None, None, None)
        await house.live(90)

    asyncio.run(go())
    assert [] == [one for one in store.calls() if one.ending is Ending.LOST]
    assert PAIRS == house.agent.pairs
    assert 6 == len([one for one in store.outbox.deliveries() if one.event.type == "call.blocked"])


def test_what_is_kept_is_written_before_any_other_call_leaves(store):
    house = House(store)
    first = CallRequest(
        id="first", plan_key="first", trunk="carrier-a", caller=CALLERS[0], callee=CALLEES[0], consent="our own line"
    )
    store.begin(first, NOON)
    with read_only(store):
        ending = house.daemon.ledger.finish(judge_call(record(first, NOON, NOON)), lambda _changes, _calls: (), None)
        assert () == asyncio.run(ending)
        assert 1 == len(house.listener.errors)
    house.live_through(1)
    assert Ending.ANSWERED is store.call("first").ending


# What keeps calls back.


def test_while_the_stop_file_is_there_nothing_is_dialled_and_then_the_round_goes_on(store):
    stopped = [True]
    house = House(store, stopped=lambda: stopped[0])
    house.live_through(40)
    assert [] == house.agent.placed
    stopped[0] = False
    house.live_through(75)
    assert PAIRS == house.agent.pairs


def test_a_round_that_the_stop_file_kept_back_says_so(store):
    house = House(store, stopped=lambda: True)
    house.live_through(118)
    assert [] == house.agent.placed
    assert ["stop_file"] * 6 == [refused.rule for refused in store.refusals(NOON - DAY)]
    assert RoundState.DONE is house.states()[0][1]


def test_a_paused_number_is_not_dialled_and_says_so(store):
    store.pause(PauseKind.NUMBER, CALLERS[0], "it is being ported", NOON)
    house = House(store)
    house.live_through(118)
    assert [pair for pair in PAIRS if pair[0] != CALLERS[0]] == house.agent.pairs
    assert ["paused_number"] * 2 == [refused.rule for refused in store.refusals(NOON - DAY)]
    assert "it is being ported" in store.refusals(NOON - DAY)[0].why


def test_calls_leave_no_faster_than_the_trunk_allows_over_several_ticks(store):
    callers = tuple(f"+120255501{n:02}" for n in range(12))
    callees = tuple(f"+120255502{n:02}" for n in range(12))
    quick = scenario(callers=callers, callees=callees, trunk=Trunk(name="carrier-a", host="127.0.0.1", lines=50))
    house = House(store, quick, clock=Starts(NOON, NOON + timedelta(seconds=20)), calls_per_second=5.0)

    async def go():
        for _ in range(3):
            house.wall.now += timedelta(seconds=2)
            await house.tick(settled=False)
            await asyncio.sleep(0.7)
        house.daemon.leaving = True
        await asyncio.wait(tuple(house.daemon.under_way))

    asyncio.run(go())
    gaps = [later - earlier for earlier, later in pairwise(house.agent.starts)]
    assert len(gaps) > 5
    assert min(gaps) >= 0.2 - 0.1  # a loaded disk may keep one attempt longer than the next
    assert sum(gaps) >= 0.2 * len(gaps) - 0.1


def test_two_scenarios_share_the_lines_of_a_trunk_and_ring_no_destination_at_once(store):
    trunk = Trunk(name="carrier-a", host="127.0.0.1", lines=2)
    callees = tuple(f"+120255502{n:02}" for n in range(6))
    both = [scenario(name, callees=callees, trunk=trunk) for name in ("nightly", "hourly")]
    house = House(store, *both, clock=Starts(NOON, NOON + timedelta(seconds=30)))

    async def go():
        house.agent.seconds = 0.1
        for _ in range(40):
            await house.tick(settled=False)
            house.wall.now += SECOND
            await asyncio.sleep(0.02)
        await asyncio.wait(tuple(house.daemon.under_way) or {asyncio.create_task(asyncio.sleep(0))})

    asyncio.run(go())
    assert 2 == house.agent.most


def test_where_the_limits_leave_room_for_a_part_the_least_certain_comes_first(store):
    for number in range(3):
        known = CallRequest(
            id=f"past-{number}",
            plan_key=f"past-{number}",
            trunk="carrier-a",
            caller=CALLERS[0],
            callee=CALLEES[0],
            consent="our own line",
            scenario="nightly",
            network="a",
        )
        store.begin(known, NOON - HOUR)
        store.finish(judge_call(record(known, NOON - HOUR, NOON - HOUR)))
    tight = Limits(per_caller=(), per_destination=(), calls_per_day=4, hours=Hours(opens=0, closes=24 * 60))
    house = House(store, scenario(callers=CALLERS[:2], callees=CALLEES[:1], limits=tight))
    house.live_through(110)
    assert [(CALLERS[1], CALLEES[0])] == house.agent.pairs
    assert ["calls_per_day"] == [refused.rule for refused in store.refusals(NOON - DAY)]


def test_a_daemon_that_leaves_begins_no_call(store):
    house = House(store)
    house.daemon.leaving = True
    house.live_through(20)
    assert [] == house.agent.placed
    assert [] == list(store.calls())


def test_a_fault_of_the_agent_is_told_and_the_round_goes_on(store):
    house = House(store)

    def break_once():
        house.agent.on_call = lambda: None
        raise RuntimeError("the agent is broken")

    house.agent.on_call = break_once
    house.live_through(118)
    assert ["the agent is broken"] == house.listener.errors
    assert PAIRS == house.agent.pairs
    assert [Ending.LOST] == [judged.record.ending for judged in house.listener.calls if judged.record.ending == "lost"]
