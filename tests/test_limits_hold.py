"""No limit is ever passed: random rounds, crashes, clocks and two processes through the real road, guard and store.

The judge is the far end: it writes down every INVITE and counts by itself, knowing nothing of attempts or buckets.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from databases import opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe import announce
from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.ledger import Ledger
from probe.rounds import Road, place_call
from probe.scenario.guard import allowed_by, reach
from probe.scenario.plan import due, plan_key
from probe.scenario.scenario import Caller, Destination, Hours, Limits, Rate, Scenario, Schedule
from probe.trunk import Trunk

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
CALLERS = ("+12025550101", "+12025550102")
CALLEES = ("+12025550191", "+12025550192")
RATES = (Rate(count=1, window_s=60), Rate(count=3, window_s=1800))
LIMITS = Limits(
    per_caller=RATES, per_destination=RATES, calls_per_day=5, minutes_per_day=2, hours=Hours(opens=0, closes=1440)
)
WATCHED = Scenario(
    name="watched",
    path="watched.yaml",
    trunk=Trunk(name="carrier-a", host="192.0.2.1"),
    callers=tuple(Caller(number=number) for number in CALLERS),
    destinations=tuple(Destination(number=number, consent="ours") for number in CALLEES),
    control="+12025550100",
    hold_ms=20_000,
    limits=LIMITS,
    schedule=Schedule(every_s=3600, retest_s=120),
)
HEAD = "SIP/2.0 {}\r\nCSeq: 1 INVITE\r\n{}\r\n"
PLUS = 'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN\r\n'
ENDS = {
    "busy": HEAD.format("486 Busy Here", ""),
    "blocked": HEAD.format("603 Network Blocked", PLUS),
    "unwanted": HEAD.format("607 Unwanted", ""),
    "overloaded": HEAD.format("503 Service Unavailable", ""),
    "answered": HEAD.format("200 OK", ""),
}
LONGEST = timedelta(seconds=25 + 20 + 60)  # the user agent has ended every call by then


@dataclass(frozen=True)
class Invite:
    """What the far end knows of a call."""

    at: datetime
    jumps: int
    request: CallRequest


class Process:
    """One daemon: a store of its own on the shared file, and the calls that it holds."""

    def __init__(self, world, name):
        self.world = world
        self.store = opened(world.url, name)
        self.calls = {}
        self.leaving = {}

    async def place(self, request):
        """The agent: the INVITE leaves, and somebody ends the call, or the process dies with it."""
        self.world.take(request)
        started_at, ended = self.world.now, asyncio.get_running_loop().create_future()
        self.calls[request.id] = ended
        self.leaving[request.id].set_result(None)
        end = await ended
        return self.world.record(request, started_at, end)

    def start(self, request):
        road = Road(
            agent=self,
            store=Ledger(self.store),
            allowed=allowed_by(WATCHED),
            new_id=lambda: f"msg-{next(self.world.ids)}",
            now=lambda: self.world.now,
            announce=announce,
        )
        self.leaving[request.id] = asyncio.get_running_loop().create_future()
        return asyncio.create_task(place_call(request, road))

    async def die(self):
        """Lose every call in hand, as kill -9 does, and come back."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if task in self.world.tasks.get(self, ()):
                task.cancel()
        await asyncio.sleep(0)
        self.calls.clear()
        self.store.close()  # it opens itself again
        self.store.mark_lost(self.world.now)


class World:
    def __init__(self, url):
        self.url, self.now, self.jumps = url, START, 0
        self.ids, self.log, self.barred, self.tasks = count(), [], set(), {}
        self.processes = [Process(self, "one"), Process(self, "other")]

    def take(self, request):
        self.log.append(Invite(self.now, self.jumps, request))
        assert (request.round, request.caller, request.callee) not in self.barred, "a blocker is asked once a round"
        ringing = [invite for invite in self.log[:-1] if invite.request.callee == request.callee]
        in_hand = {call_id for process in self.processes for call_id in process.calls}
        young = [one for one in ringing if self.now - one.at < LONGEST]
        twice = [one for one in young if one.request.id in in_hand and one.jumps == self.jumps]
        assert [] == twice, "a destination takes one call at a time"

    def record(self, request, started_at, end):
        if end in {"blocked", "unwanted"} and request.round is not None:
            self.barred.add((request.round, request.caller, request.callee))
        raw = ENDS[end].encode()
        moved = {"transport": "UDP", "local": "192.0.2.2:5060", "remote": "192.0.2.1:5060"}
        sent = Message(
            at_ms=0, direction=Direction.SENT, raw=b"INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", **moved
        )
        heard = Message(at_ms=400, direction=Direction.RECEIVED, raw=raw, **moved)
        messages = (sent, heard)
        if end == "answered":
            bye = b"BYE sip:x SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n"
            messages += (Message(at_ms=20_400, direction=Direction.SENT, raw=bye, **moved),)
        return CallRecord(
            request=request,
            started_at=started_at,
            ended_at=max(self.now, started_at),
            ending=Ending.ANSWERED if end == "answered" else Ending.REFUSED,
            messages=messages,
        )

    async def tick(self, process):
        rounds = process.store.open_rounds(WATCHED.name)
        past = process.store.history(self.now, reach(LIMITS))
        found = due(WATCHED, past, rounds, self.now, new_id=lambda: f"call-{next(self.ids)}")
        process.store.refuse_all(found.not_placed, self.now)
        await self.place(process, found.requests)
        for round_id in found.finished:
            process.store.finish_round(round_id, self.now, {})

    async def begin_round(self, process):
        ends_at = self.now + timedelta(hours=1)
        round_id = f"round-{next(self.ids)}"
        process.store.begin_round(round_id, WATCHED.name, self.now, 4, planned_at=self.now, ends_at=ends_at)

    async def ask(self, process, caller, callee):
        """Ask for a call that no plan asked for, in the round of the last one."""
        call_id = f"call-{next(self.ids)}"
        key = plan_key("", CALLERS[caller], CALLEES[callee], call_id)
        asked = {"trunk": "carrier-a", "caller": CALLERS[caller], "callee": CALLEES[callee], "hold_ms": 20_000}
        round_id = self.log[-1].request.round if self.log else None
        request = CallRequest(id=call_id, plan_key=key, scenario=WATCHED.name, round=round_id, **asked)
        await self.place(process, [request])

    async def ask_beside(self, process, caller, seconds):
        """Ask for the callee of the last call, from whichever caller, while that call may be under way."""
        self.pass_time(seconds)
        if self.log:
            await self.ask(process, caller, CALLEES.index(self.log[-1].request.callee))

    async def again(self, process):
        """Ask for a call that was placed before, under its plan key, as a daemon does that forgot it."""
        if self.log:
            old = self.log[-1].request
            await self.place(process, [replace(old, id=f"call-{next(self.ids)}")])

    async def place(self, process, requests):
        tasks = [process.start(request) for request in requests]
        self.tasks.setdefault(process, set()).update(tasks)
        for request, task in zip(requests, tasks, strict=True):
            await asyncio.wait((task, process.leaving[request.id]), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()

    async def end(self, process, how):
        for ended in process.calls.values():
            ended.set_result(how)
        for task in [task for task in self.tasks.get(process, ()) if not task.done()]:
            await task
        process.calls.clear()

    def pass_time(self, seconds):
        self.now += timedelta(seconds=seconds)

    def jump(self, hours):
        self.now += timedelta(hours=hours)
        self.jumps += 1

    def judge(self):
        keys = [invite.request.plan_key for invite in self.log]
        assert len(keys) == len(set(keys)), "nothing is dialled twice"
        for place, invite in enumerate(self.log):
            before = self.log[:place]
            for side in ("caller", "callee"):
                number = getattr(invite.request, side)
                theirs = [one for one in before if getattr(one.request, side) == number]
                for rate in RATES:
                    since = invite.at - timedelta(seconds=rate.window_s)
                    assert len([one for one in theirs if one.at > since]) < rate.count, (side, rate)
            day = [one for one in before if one.at > invite.at - timedelta(days=1)]
            assert len(day) < LIMITS.calls_per_day


processes = st.integers(0, 1)
STEPS = st.one_of(
    st.tuples(st.just("tick"), processes),
    st.tuples(st.just("tick"), processes),
    st.tuples(st.just("begin_round"), processes),
    st.tuples(st.just("ask"), processes, st.integers(0, 1), st.integers(0, 1)),
    st.tuples(st.just("ask_beside"), processes, st.integers(0, 1), st.integers(50, 110)),
    st.tuples(st.just("again"), processes),
    st.tuples(st.just("end"), processes, st.sampled_from(sorted(ENDS))),
    st.tuples(st.just("die"), processes),
    st.tuples(st.just("time"), st.integers(1, 900)),
    st.tuples(st.just("time"), st.sampled_from([59, 60, 61, 1800])),
    st.tuples(st.just("jump"), st.sampled_from([-1, -24, 1, 24])),
)


async def live(world, steps):
    for name, *values in steps:
        if name == "time":
            world.pass_time(*values)
        elif name == "jump":
            world.jump(*values)
        elif name == "die":
            await world.processes[values[0]].die()
        else:
            await getattr(world, name)(world.processes[values[0]], *values[1:])
    for process in world.processes:
        await process.die()


def hold_limits(url, steps):
    world = World(url)
    try:
        asyncio.run(live(world, steps))
    finally:
        for process in world.processes:
            process.store.close()
    world.judge()


UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=150, suppress_health_check=UNHURRIED)
@given(steps=st.lists(STEPS, min_size=5, max_size=60))
def test_no_limit_is_ever_passed(emptied_file, steps):
    emptied_file.empty()
    hold_limits(emptied_file.url, steps)


@settings(max_examples=8, suppress_health_check=UNHURRIED)
@given(steps=st.lists(STEPS, min_size=20, max_size=60))
def test_no_limit_is_ever_passed_on_a_server(emptied, steps):
    emptied.empty()
    hold_limits(emptied.url, steps)


def test_the_judge_sees_calls_at_all(emptied_file):
    """A property that holds because nothing is ever dialled would be worth nothing."""
    emptied_file.empty()
    world = World(emptied_file.url)
    hour = [("tick", 0), ("time", 30), ("end", 0, "busy"), ("tick", 1), ("time", 31), ("end", 1, "busy")] * 60
    asyncio.run(live(world, [("begin_round", 0), *hour]))
    world.judge()
    kinds = {invite.request.plan_key[-1] for invite in world.log}
    assert LIMITS.calls_per_day >= len(world.log) >= 5
    assert {"0", "2"} <= kinds
    for process in world.processes:
        process.store.close()
