"""Far ends that send bytes which no stack sends: what came is recorded as it came, and the next call is a good one."""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent.conftest import agent_on, request, said, trunk, within
from agent.far_end import FarEnd, Hangs, reply

from probe.agent.pool import Agent
from probe.call import CallRecord, Ending
from probe.judged import judge_call
from probe.report.lines import as_text
from probe.report.show import show
from probe.sip import Request

GOOD = "+12025550150"
NOTICE = 'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r";location=RLN'
TORTURE = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "data" / "rfc4475").glob("**/*.sip"))]

Says = Callable[[Request], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a far end says to an INVITE, and what has to be read from it."""

    says: Says
    disposition: str = "analytics_blocked"
    flaws: tuple[str, ...] = ()
    ending: Ending = Ending.REFUSED
    status: int | None = 603


def refusal(asked: Request, *headers: str, phrase: str = "Network Blocked", body: str = "") -> bytes:
    return reply(asked, f"603 {phrase}", *headers, NOTICE, body=body)


def lying(length: str, body: str = "") -> Says:
    """Says of its refusal that it is as long as `length`."""

    def says(asked: Request) -> Iterator[bytes]:
        yield re.sub(rb"(?<=Content-Length: )\d+", length.encode(), refusal(asked, body=body))

    return says


def without_length(asked: Request) -> Iterator[bytes]:
    yield refusal(asked).replace(b"Content-Length: 0\r\n", b"")


def with_two_lengths(asked: Request) -> Iterator[bytes]:
    yield refusal(asked, "Content-Length: 77")


def with_a_nul(asked: Request) -> Iterator[bytes]:
    yield refusal(asked, phrase="Network\0 Blocked")


def with_escapes(asked: Request) -> Iterator[bytes]:
    yield refusal(asked, phrase="\x1b[2JNetwork\x07 Blocked\x9b1m")


def with_200_reasons(asked: Request) -> Iterator[bytes]:
    yield reply(asked, "603 Network Blocked", NOTICE, *(f"Reason: X{number};cause={number}" for number in range(199)))


def with_60_kb(asked: Request) -> Iterator[bytes]:
    yield reply(asked, "603 Network Blocked", NOTICE, "X-Pad: " + "a" * 60_000)


def behind_noise(asked: Request) -> Iterator[bytes]:
    yield from (b"", b"\r\n\r\n", b"\0" * 900, b"\xff" * 900, b"SIP/2.0", b"SIP/2.0 -1 X\r\n\r\n", b"\x1b[2J", *TORTURE)
    for line in ("99 Early", "1000 Late", "4294967301 Wrapped", "60 Short", "six Words"):
        yield reply(asked, line)
    yield re.sub(rb"CSeq: \d+", b"CSeq: 99999999999", reply(asked, "486 Busy Here"))
    yield reply(asked, "180 Ringing", "Contact: <<<", "Via: " + "x" * 900)
    yield refusal(asked)


def and_hangs_up(asked: Request) -> Iterator[bytes]:
    yield refusal(asked)[:60]
    raise Hangs


BOTH = {
    "a NUL in the phrase": Case(says=with_a_nul, flaws=("control_characters",)),
    "escapes in the phrase": Case(
        says=with_escapes, disposition="analytics_suspected", flaws=("control_characters", "phrase_rewritten")
    ),
    "200 Reasons": Case(says=with_200_reasons),
    "a Content-Length beneath the body": Case(says=lying("3", "x" * 400)),
}
# A datagram ends where it ends, whatever it says.
OVER_UDP = {
    "a Content-Length beyond the end": Case(says=lying("5000")),
    "a Content-Length below zero": Case(says=lying("-1")),
    "a Content-Length beyond every number": Case(says=lying("9" * 30)),
    "no Content-Length": Case(says=without_length),
    "two Content-Lengths": Case(says=with_two_lengths),
    "noise": Case(says=behind_noise),
}
# On a stream what is not complete never comes: all that is known is that nothing was said before we gave up.
UNSAID = {"disposition": "timed_out", "ending": Ending.RING_LIMIT, "status": None}
OVER_TCP = {
    "60 kB": Case(says=with_60_kb),
    "a Content-Length beyond the end": Case(says=lying("5000"), **UNSAID),
    "a Content-Length below zero": Case(says=lying("-1"), **UNSAID),
    "a Content-Length beyond every number": Case(says=lying("9" * 30), **UNSAID),
    "a Content-Length of words": Case(says=lying("some"), **UNSAID),
    "no Content-Length": Case(says=without_length, **UNSAID),
    "two Content-Lengths": Case(says=with_two_lengths, **UNSAID),
    "half a message, and then nobody": Case(
        says=and_hangs_up, disposition="inconclusive", ending=Ending.NO_RESPONSE, status=None
    ),
}


def dialogue(cases: dict[str, Says]) -> Callable[[Request], Iterator[bytes]]:
    """A far end that says to each number what it has for it, and refuses the good one as everybody does."""

    def answers(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE" and GOOD in asked.uri:
            yield reply(asked, "603 Decline")
        elif asked.method == "INVITE":
            yield reply(asked, "100 Trying")
            yield from next(says for number, says in cases.items() if number in asked.uri)(asked)

    return answers


def numbered(cases: dict[str, Case]) -> dict[str, str]:
    return {name: f"+120255501{60 + at}" for at, name in enumerate(cases)}


@dataclass(frozen=True, kw_only=True)
class Heard:
    record: CallRecord
    next: CallRecord


async def _one(agent: Agent, number: str) -> CallRecord:
    return await agent.place(request(number, ring_limit_ms=2_000))


async def _over_udp(cases: dict[str, Case]) -> dict[str, Heard]:
    """All at once in one agent, then a good call for each."""
    numbers = numbered(cases)
    with FarEnd(dialogue({numbers[name]: case.says for name, case in cases.items()})) as far:
        async with agent_on(trunk(far.port, lines=16)) as agent:
            records = await asyncio.gather(*(_one(agent, number) for number in numbers.values()))
            good = await asyncio.gather(*(_one(agent, GOOD) for _ in numbers))
    return {name: Heard(record=record, next=next_) for name, record, next_ in zip(cases, records, good, strict=True)}


async def _over_tcp(case: Case) -> Heard:
    """A far end and a connection of its own: what one says stands before what comes next."""
    with FarEnd(dialogue({"+": case.says}), "tcp") as far:
        async with agent_on(trunk(far.port, transport="tcp", lines=1)) as agent:
            return Heard(record=await _one(agent, "+12025550160"), next=await _one(agent, GOOD))


async def _all() -> dict[tuple[str, str], Heard]:
    udp, tcp = BOTH | OVER_UDP, BOTH | OVER_TCP
    over_udp, *over_tcp = await asyncio.gather(_over_udp(udp), *map(_over_tcp, tcp.values()))
    return {("udp", name): one for name, one in over_udp.items()} | {
        ("tcp", name): one for name, one in zip(tcp, over_tcp, strict=True)
    }


@pytest.fixture(scope="module")
def heard() -> dict[tuple[str, str], Heard]:
    return within(40, _all())


CASES = {("udp", name): case for name, case in (BOTH | OVER_UDP).items()} | {
    ("tcp", name): case for name, case in (BOTH | OVER_TCP).items()
}


@pytest.mark.parametrize("met", CASES, ids=" ".join)
def test_what_no_stack_sends_is_read_as_it_came(met: tuple[str, str], heard: dict[tuple[str, str], Heard]):
    expected, record = CASES[met], heard[met].record
    judged = judge_call(record)
    final = judged.conversation.final
    assert (expected.ending, expected.status, expected.disposition) == (
        record.ending,
        final.status if final else None,
        judged.verdict.disposition,
    ), (said(record), record.detail)
    assert expected.flaws == (judged.notice.flaws if judged.notice else ())
    assert {"\n"} >= {one for one in as_text(show(judged, width=80)) if not one.isprintable()}


@pytest.mark.parametrize("met", CASES, ids=" ".join)
def test_the_call_after_it_is_a_good_one(met: tuple[str, str], heard: dict[tuple[str, str], Heard]):
    record = heard[met].next
    assert (Ending.REFUSED, "603 Decline") == (record.ending, said(record)[1]), (said(record), record.detail)


def test_noise_on_a_stream_costs_no_more_than_its_call():
    """Where in it the library finds the refusal is a matter of how the bytes arrive."""
    heard = within(20, _over_tcp(Case(says=behind_noise)))
    assert heard.record.ending in {Ending.REFUSED, Ending.RING_LIMIT}, (said(heard.record), heard.record.detail)
    assert (Ending.REFUSED, "603 Decline") == (heard.next.ending, said(heard.next)[1]), heard.next.detail


def test_what_the_library_drops_for_a_nul_is_kept_to_the_byte(heard: dict[tuple[str, str], Heard]):
    for transport in ("udp", "tcp"):
        record = heard[transport, "a NUL in the phrase"].record
        final = next(message for message in record.messages if message.raw.startswith(b"SIP/2.0 603"))
        assert final.raw.startswith(b"SIP/2.0 603 Network\0 Blocked\r\nVia: ")
        assert final.raw.endswith(b"\r\n\r\n")
        assert not final.cut
