"""A far end that never stops talking costs neither the record of its call, nor the memory and disk of the machine."""

from collections.abc import Callable, Iterator

import pytest
from agent.conftest import agent_on, request, said, trunk, within
from agent.far_end import FarEnd, answer, bye, reply

from probe.call import CallRecord, Ending
from probe.judged import judge_call
from probe.sip import Request

MANY = 900
GOOD = "+12025550150"
Says = Callable[[Request, FarEnd], Iterator[bytes]]


def rings_on_and_on(asked: Request, _: FarEnd) -> Iterator[bytes]:
    if asked.method == "INVITE":
        for number in range(MANY):
            yield reply(asked, "180 Ringing", f"X-Number: {number}")
        yield reply(asked, "183 Session Progress")
        yield reply(asked, "603 Decline")


def rings_at_length(asked: Request, _: FarEnd) -> Iterator[bytes]:
    if asked.method == "INVITE":
        for number in range(MANY // 2):
            yield reply(asked, "180 Ringing", f"X-Number: {number}", "X-Pad: " + "a" * 3_000)
        yield reply(asked, "603 Decline")


def asks_on_and_on(asked: Request, far: FarEnd) -> Iterator[bytes]:
    """Within the call: each request is answered, too."""
    if asked.method == "INVITE":
        yield answer(asked, far.port, transport="tcp")
    elif asked.method == "ACK":
        invite = far.requests("INVITE")[0]
        for number in range(MANY // 2):
            yield (
                bye(invite, method="INFO")
                .replace(b"CSeq: 7", b"CSeq: %d" % (7 + number))
                .replace(b"branch=z9hG4bK-far-", b"branch=z9hG4bK-far-%d-" % number)
            )
    elif asked.method == "BYE":
        yield reply(asked, "200 OK")


REFUSED = ["183 Session Progress", "603 Decline", "ACK"]
CASES = {
    "rings on and on": (rings_on_and_on, Ending.REFUSED, REFUSED),
    "rings at length": (rings_at_length, Ending.REFUSED, REFUSED[1:]),
    "asks on and on": (asks_on_and_on, Ending.ANSWERED, ["BYE", "200 OK"]),
}


def call(says: Says) -> tuple[CallRecord, CallRecord]:
    """Over TCP, so that every message comes; and another call after it."""

    def script(asked: Request) -> Iterator[bytes]:
        if GOOD in asked.uri:
            yield from [reply(asked, "486 Busy Here")] if asked.method == "INVITE" else []
        else:
            yield from says(asked, far)

    async def both() -> tuple[CallRecord, CallRecord]:
        async with agent_on(trunk(far.port, transport="tcp")) as agent:
            first = await agent.place(request(ring_limit_ms=20_000, hold_ms=3_000))
            return first, await agent.place(request(GOOD))

    with FarEnd(script, "tcp") as far:
        records: tuple[CallRecord, CallRecord] = within(50, both())
    return records


@pytest.mark.parametrize("name", CASES)
def test_a_far_end_that_talks_without_end_is_recorded_in_bounds_and_as_it_answered(name: str):
    says, ending, last = CASES[name]
    record, after = call(says)

    assert (ending, last) == (record.ending, said(record)[-len(last) :]), record.detail
    assert len(record.messages) <= 520
    assert sum(len(message.raw) for message in record.messages) <= 1_100_000
    assert (record.detail or "").startswith("the far end said too much: ")
    assert judge_call(record).conversation.final is not None
    assert (Ending.REFUSED, ["INVITE", "486 Busy Here", "ACK"], None) == (after.ending, said(after), after.detail)
