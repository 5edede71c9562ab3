"""The road, with a real store and an agent that is a plain object: order, limits, stopping, failure."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import jsonschema
import pytest
from databases import opened
from placed import BLOCKED as REFUSED
from placed import START, answered, refused

from probe import announce
from probe.call import CallRecord, CallRequest, Card, CardState, Direction, Ending, Message
from probe.documents import document_schemas, timestamp
from probe.errors import StoreError
from probe.event import Endpoint
from probe.ledger import Ledger
from probe.rounds import Plan, Road, add_card, place_call, run_round
from probe.scenario.guard import Allowed

CALLERS = ("+12025550101", "+12025550102", "+12025550103")
CALLEES = ("+12025550190", "+12025550191")
ENDPOINT = Endpoint(
    name="https://hooks.example.com/",
    url="https://hooks.example.com/",
    secret="whsec_" + "A" * 32,
    types=frozenset({"call.blocked", "round.completed"}),
)
BLOCKED = (
    b"SIP/2.0 603 Network Blocked\r\nCSeq: 1 INVITE\r\n"
    b'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN\r\n\r\n'
)
INVITE = b"INVITE sip:+12025550190@example.com SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"


class FarEnd:
    """An agent whose every call is blocked; it keeps who was rung, when, and how many at once."""

    def __init__(self, store, seconds=0.0):
        self.store = store
        self.seconds = seconds
        self.placed = []
        self.starts = []
        self.under_way = set()
        self.most = 0

    async def place(self, request):
        assert request.callee not in {other.callee for other in self.under_way}, "a destination is rung once at a time"
        self.placed.append(request)
        self.starts.append(time.monotonic())
        self.under_way.add(request)
        self.most = max(self.most, len(self.under_way))
        await asyncio.sleep(self.seconds)
        self.under_way.discard(request)
        return blocked(request)


def message(direction, at_ms, raw):
    return Message(
        at_ms=at_ms, direction=direction, transport="UDP", local="127.0.0.1:5060", remote="127.0.0.1:5080", raw=raw
    )


def blocked(request):
    now = datetime.now(UTC)
    messages = (message(Direction.SENT, 0.0, INVITE), message(Direction.RECEIVED, 40.0, BLOCKED))
    return CallRecord(request=request, started_at=now, ended_at=now, ending=Ending.REFUSED, messages=messages)


def request(number=0, caller=CALLERS[0], callee=CALLEES[0], **changes):
    fields = {
        "id": f"call-{number}",
        "plan_key": f"key-{number}",
        "trunk": "carrier-a",
        "caller": caller,
        "callee": callee,
        "consent": "our own line",
    }
    return CallRequest(**(fields | changes))


@pytest.fixture
def store(emptied_file):
    emptied_file.empty()
    store = opened(emptied_file.url)
    yield store
    store.close()


def road(agent, store, **changes):
    ids = count()
    fields = {
        "agent": agent,
        "store": Ledger(store),
        "allowed": Allowed(
            callers=frozenset(CALLERS),
            destinations=dict.fromkeys(CALLEES, "our own line"),
            limits=None,
            trunk_on_loopback=True,
        ),
        "new_id": lambda: f"msg_{next(ids)}",
        "now": lambda: datetime.now(UTC),
        "announce": announce,
        "endpoint": ENDPOINT,
        "lines": 4,
        "calls_per_second": 1000.0,
    }
    return Road(**(fields | changes))


def plan(requests):
    return Plan(id="round-1", scenario="nightly", requests=tuple(requests))


def matrix():
    pairs = [(caller, callee) for caller in CALLERS for callee in CALLEES]
    return [request(n, caller, callee) for n, (caller, callee) in enumerate(pairs)]


def run(plan, road, stopping=None, on_call=lambda _judged: None):
    async def go():
        return await run_round(plan, road, stopping=stopping or asyncio.Event(), on_call=on_call)

    return asyncio.run(go())


def test_a_call_is_in_the_store_before_the_phone_rings(store):
    seen = []

    class Watching(FarEnd):
        async def place(self, request):
            seen.append(store.begin(request, datetime.now(UTC)))
            return await super().place(request)

    asyncio.run(place_call(request(), road(Watching(store), store)))
    assert [False] == seen  # it had begun already


def test_a_planned_call_is_never_dialled_twice(store):
    agent = FarEnd(store)
    asyncio.run(place_call(request(), road(agent, store)))
    assert asyncio.run(place_call(request(), road(agent, store))) is None
    assert 1 == len(agent.placed)


def test_a_call_whose_process_died_is_not_dialled_again(store):
    agent = FarEnd(store)
    store.begin(request(), datetime.now(UTC))  # and then the power went
    assert asyncio.run(place_call(request(), road(agent, store))) is None
    assert [] == agent.placed


@pytest.mark.parametrize("callee", ["911", "+1911", "112", "+19005550100", "+881612345678", "+12025550177"])
def test_what_the_guard_refuses_is_recorded_and_never_placed(store, callee):
    agent = FarEnd(store)
    judged = asyncio.run(place_call(request(callee=callee), road(agent, store)))
    assert [] == agent.placed
    assert Ending.GUARDED is judged.record.ending
    assert [Ending.GUARDED] == [record.ending for record in store.calls()]


def test_a_blocked_call_is_queued_with_its_facts(store):
    asyncio.run(place_call(request(), road(FarEnd(store), store)))
    assert ["call.blocked"] == [delivery.event.type for delivery in store.outbox.deliveries()]


def test_events_that_nobody_asked_for_are_not_queued(store):
    nobody = road(FarEnd(store), store, endpoint=None)
    asyncio.run(place_call(request(), nobody))
    assert [] == list(store.outbox.deliveries())


def test_a_round_places_every_call_once(store):
    agent = FarEnd(store)
    result = run(plan(matrix()), road(agent, store))
    assert sorted((call.caller, call.callee) for call in matrix()) == sorted(
        (call.caller, call.callee) for call in agent.placed
    )
    assert 6 == result.planned == len(result.calls)


def test_a_round_tells_the_standing_of_each_caller_id(store):
    run(plan(matrix()), road(FarEnd(store), store))
    completed = next(d.event for d in store.outbox.deliveries() if d.event.type == "round.completed")
    assert set(CALLERS) == {standing["caller"] for standing in completed.data["standing"]}


def known_cluster(store):
    """A caller ID that one network blocks each time, and another never."""
    for number in range(60):
        network, at = ("verizon", "t-mobile")[number % 2], START - timedelta(hours=60 - number)
        fields = {"id": f"past-{number}", "plan_key": f"past-{number}", "caller": CALLERS[0], "at": at}
        judged = refused(*REFUSED, network=network, **fields) if number % 2 else answered(network=network, **fields)
        store.begin(judged.record.request, at)
        store.finish(judged)


def completed_standing(store):
    """The standing of the first caller ID as a whole, as the round tells it."""
    run(plan(matrix()), road(FarEnd(store), store))
    completed = next(d.event for d in store.outbox.deliveries() if d.event.type == "round.completed")
    body = {"type": completed.type, "timestamp": timestamp(completed.timestamp), "data": completed.data}
    jsonschema.validate(body, document_schemas()[completed.type])
    return next(one for one in completed.data["standing"] if (one["caller"], one["network"]) == (CALLERS[0], None))


def test_a_round_tells_what_ties_the_blocks_together(store):
    known_cluster(store)
    told = completed_standing(store)["signals"]
    assert ("network", "t-mobile") in {(signal["dimension"], signal["value"]) for signal in told}


def test_a_round_of_many_caller_ids_does_not_wait_for_signals(store, monkeypatch):
    known_cluster(store)
    monkeypatch.setattr("probe.rounds._MOST_WITH_SIGNALS", len(CALLERS) - 1)
    assert [] == completed_standing(store)["signals"]


@pytest.mark.parametrize("lines", [1, 2])
def test_no_more_lines_are_used_than_the_trunk_has(store, lines):
    agent = FarEnd(store, seconds=0.05)
    run(plan(matrix()), road(agent, store, lines=lines))
    assert lines == agent.most


def test_calls_start_no_faster_than_the_trunk_allows(store):
    agent = FarEnd(store)
    run(plan(matrix()[:4]), road(agent, store, calls_per_second=5.0))
    gaps = [later - earlier for earlier, later in zip(agent.starts, agent.starts[1:], strict=False)]
    assert min(gaps) >= 1 / 5.0 - 0.01  # however long the disk keeps one attempt


def test_a_round_that_is_stopped_starts_nothing_more(store):
    agent, stopping = FarEnd(store), asyncio.Event()
    result = run(plan(matrix()), road(agent, store, lines=1), stopping, lambda _judged: stopping.set())
    assert 1 == len(agent.placed)
    assert (6, 1) == (result.planned, len(result.calls))


def test_nothing_is_dialled_that_cannot_be_recorded(store, monkeypatch):
    agent = FarEnd(store)

    def full(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "admit_all", full)
    with pytest.raises(StoreError):
        run(plan(matrix()), road(agent, store))
    assert [] == agent.placed


CARDED = b"SIP/2.0 608 Rejected\r\nCSeq: 1 INVITE\r\nCall-Info: <https://block.example.net/jws>;purpose=jwscard\r\n\r\n"


class Carded(FarEnd):
    """A far end whose every 608 names a card."""

    def __init__(self, store, calls=1):
        super().__init__(store)
        self.calls, self.all_placed = calls, asyncio.Event()

    async def place(self, request):
        record = await super().place(request)
        if len(self.placed) == self.calls:
            self.all_placed.set()
        messages = (record.messages[0], message(Direction.RECEIVED, 40.0, CARDED))
        return replace(record, messages=messages)


class SlowCards:
    """Says what came of a card once all calls have been placed."""

    def __init__(self, far_end):
        self.far_end, self.asked = far_end, []

    async def fetch(self, uri):
        self.asked.append(uri)
        await asyncio.wait_for(self.far_end.all_placed.wait(), 10)
        return Card(uri=uri, at=datetime.now(UTC), state=CardState.UNVERIFIED, why="nobody answered")


def by_each_caller():
    return [request(n, caller, CALLEES[n % 2]) for n, caller in enumerate(CALLERS)]


def test_no_call_waits_for_the_card_of_another(store):
    far_end = Carded(store, len(CALLERS))
    cards = SlowCards(far_end)
    told = []
    result = run(plan(by_each_caller()), road(far_end, store, lines=1, cards=cards), on_call=told.append)
    assert ["https://block.example.net/jws"] * 3 == cards.asked
    assert ["nobody answered"] * 3 == [call.notice.card.why for call in result.calls]
    assert list(result.calls) == told
    assert ["nobody answered"] * 3 == [record.card.why for record in store.calls()]


def test_without_leave_no_card_is_asked_for(store):
    result = run(plan(by_each_caller()), road(Carded(store), store))
    assert ["the card was not fetched"] * 3 == [call.notice.card.why for call in result.calls]
    assert [None] * 3 == [record.card for record in store.calls()]


def test_a_call_is_recorded_before_its_card_is_asked_for(store):
    class Late:
        async def fetch(self, uri):
            (record,) = store.calls()
            assert Ending.REFUSED is record.ending
            return Card(uri=uri, at=datetime.now(UTC), state=CardState.REFUSED, why="stale")

    async def go():
        on_the_road = road(Carded(store), store, cards=Late())
        return await add_card(await place_call(request(), on_the_road), on_the_road)

    assert "stale" == asyncio.run(go()).notice.card.why
