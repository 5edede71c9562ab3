"""The table of faults, as far as it is the receiver that fails: real calls, whose events it does not take."""

import asyncio
import socket
import struct
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest
from agent.conftest import agent_on, trunk
from agent.far_end import FarEnd, reply
from databases import opened

from probe import announce
from probe.call import CallRequest, Ending
from probe.ledger import Ledger
from probe.rounds import Plan, Road, run_round
from probe.scenario.guard import Allowed
from probe.webhook import delivery
from probe.webhook.delivery import deliver_pending

pytestmark = pytest.mark.agent

BLOCKED = 'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN'
CALLER = "+12025550101"
CALLEES = tuple(f"+1202555019{number}" for number in range(3))
EVENTS = len(CALLEES) + 1  # a blocked call each, and the round
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PATIENCE_S = 0.15  # in place of 15
NAME = "webhook.url http://${HOST}/number-health"


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\x00\x1b[31m\xff\xfe: no header\r\n\r\n" + bytes(range(256)) * 100)


def garbage_behind_the_head(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 25600\r\n\r\n" + bytes(range(256)) * 100)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`answer` is what each post gets, or a method of the receiver that gives it; `words` is what the user is told.

    Without words the events are taken: what a receiver says behind a 200 is its own affair.
    """

    answer: int | str | Callable[[BaseHTTPRequestHandler], None]
    words: str = ""


FAULTS = {
    "slow": Fault(answer="trickle", words=f"{NAME} was not reached: no answer within {PATIENCE_S} s"),
    "hung": Fault(answer="hang", words=f"{NAME} was not reached: no answer within {PATIENCE_S} s"),
    "resetting": Fault(answer=reset, words=f"{NAME} was not reached: the connection broke"),
    "answering 200 with garbage": Fault(
        answer=garbage, words=f"{NAME} was not reached: the answer was not HTTP, or broke off"
    ),
    "answering 200 with garbage in its body": Fault(answer=garbage_behind_the_head),
    "answering 500 for an hour": Fault(answer=500, words=f"{NAME} answered 500; look into the receiver's log"),
}


def refuses(asked):
    if asked.method == "INVITE":
        yield reply(asked, "603 Network Blocked", BLOCKED)


def requests():
    for callee in CALLEES:
        fresh = uuid.uuid4().hex
        yield CallRequest(id=fresh, plan_key=callee, trunk="far", caller=CALLER, callee=callee, scenario="watched")


def road(agent, store, endpoint):
    return Road(
        agent=agent,
        store=Ledger(store),
        allowed=Allowed(limits=None, trunk_on_loopback=True, callers=frozenset({CALLER}), consent="a far end"),
        new_id=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
        announce=announce,
        endpoint=endpoint,
        lines=3,
        calls_per_second=50,
    )


@pytest.fixture
def store(emptied_file):
    emptied_file.empty()
    store = opened(emptied_file.url)
    yield store
    store.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_receiver_that_fails_costs_no_call_and_no_event(name, receiver, endpoint, store, sleep, monkeypatch):  # noqa: PLR0913, PLR0917 - fixtures
    fault, endpoint = FAULTS[name], replace(endpoint, types=frozenset({"call.blocked", "round.completed"}))
    answer = getattr(receiver, fault.answer) if isinstance(fault.answer, str) else fault.answer
    receiver.answers = [answer] * 1000
    monkeypatch.setattr(delivery, "_TOTAL_S", PATIENCE_S)
    moment = datetime.now(UTC)

    def deliver(later):
        return asyncio.run(deliver_pending(store.outbox, endpoint, now=lambda: moment + later, sleep=sleep))

    async def place():
        async with agent_on(trunk(far.port)) as agent:
            plan = Plan(id="round", scenario="watched", requests=tuple(requests()))
            stopping = asyncio.Event()
            calls = asyncio.create_task(
                run_round(plan, road(agent, store, endpoint), stopping=stopping, on_call=lambda _: None)
            )
            while not calls.done():  # whose events fail while others are placed
                await deliver_pending(store.outbox, endpoint, now=lambda: datetime.now(UTC), sleep=sleep)
                await asyncio.wait({calls}, timeout=0.02)
            return await calls

    with FarEnd(refuses) as far:
        placed = asyncio.run(place())
        told = [reason for minute in range(0, 61, 5) for reason in deliver(minute * MINUTE).reasons]

        # Each planned call was dialled once, and is on the disk as the far end answered it.
        dialled = Counter(request.uri.partition("sip:")[2].partition("@")[0] for request in far.requests("INVITE"))
    assert dict.fromkeys(CALLEES, 1) == dialled
    assert [Ending.REFUSED] * 3 == [one.record.ending for one in placed.calls] == [one.ending for one in store.calls()]

    # No event is lost, none was made twice, and the receiver was not stormed.
    events = {one.event.id for one in store.outbox.deliveries()}
    assert EVENTS == len(events)
    posted = Counter(post.headers["webhook-id"] for post in receiver.posts)
    assert events >= set(posted)
    if not fault.words:
        assert dict.fromkeys(events, 1) == posted
        return
    # At once, after 5 s, 5 minutes and half an hour, three tries each (Standard Webhooks).
    assert max(posted.values()) <= 4 * 3
    assert {"waiting"} == {one.state.value for one in store.outbox.deliveries()}
    # The user is told, in one sentence.
    assert fault.words in told
    busy = {f"{NAME} was not reached: {why}" for why in ("no connection in time", f"no answer within {PATIENCE_S} s")}
    assert {fault.words} | busy >= set(told)  # a machine may be busy

    # And when it is well again, it gets each of them once.
    receiver.answers.clear()
    receiver.released.set()
    before = len(receiver.posts)
    done = deliver(4 * HOUR)
    assert (EVENTS, 0) == (done.taken, done.waiting)
    assert dict.fromkeys(events, 1) == Counter(post.headers["webhook-id"] for post in receiver.posts[before:])
