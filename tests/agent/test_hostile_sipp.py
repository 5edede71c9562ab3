"""Far ends that break the rules of SIP, played by SIPp: what is recorded is right, and the same process goes on.

All of them are called side by side by one agent, and then a good one is called by every process that it has.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from agent.conftest import Sipp, agent_on, request, said, sipp_in, trunk, within
from agent.exchange import Exchange

from probe.call import CallRecord, Ending
from probe.judged import judge_call

ACCOUNT = {"username": "account7", "password": "a secret word"}
GOOD = "+12025550150"
ROUND = 10


@dataclass(frozen=True, kw_only=True)
class Met:
    """What has to be recorded of a far end: the ending, the status and what it means, and the conversation."""

    ending: Ending
    status: int | None
    disposition: str
    said: tuple[str, ...]


TALKED = ("ACK", "BYE", "200 OK")
CASES = {
    "two_finals": Met(ending=Ending.REFUSED, status=486, disposition="user_busy", said=("486 Busy Here", "ACK")),
    "final_before_100": Met(
        ending=Ending.REFUSED, status=603, disposition="rejected_ambiguous", said=("603 Decline", "ACK")
    ),
    "200_crosses_cancel": Met(
        ending=Ending.ANSWERED,
        status=200,
        disposition="answered",
        said=("180 Ringing", "CANCEL", "200 OK", "ACK", "BYE"),
    ),
    "200_after_cancel": Met(
        ending=Ending.RING_LIMIT,
        status=487,
        disposition="no_answer",
        said=("180 Ringing", "CANCEL", "200 OK", "487 Request Terminated", "ACK"),
    ),
    "bye_at_once": Met(
        ending=Ending.ANSWERED, status=200, disposition="answered", said=("200 OK", "ACK", "BYE", "200 OK")
    ),
    "forked": Met(
        ending=Ending.ANSWERED,
        status=200,
        disposition="answered",
        said=("180 Ringing", "183 Session Progress", "180 Ringing", "200 OK", *TALKED),
    ),
    "302_loop": Met(ending=Ending.REFUSED, status=302, disposition="redirected", said=("302 Moved Temporarily", "ACK")),
    "within_call": Met(
        ending=Ending.ANSWERED,
        status=200,
        disposition="answered",
        said=("200 OK", "ACK", "OPTIONS", "500 Unhandled by dialog usages", "INVITE", "200 OK", "ACK", "BYE", "200 OK"),
    ),
    "bye_challenge": Met(
        ending=Ending.ANSWERED, status=200, disposition="answered", said=("200 OK", "ACK", "BYE", "401 Unauthorized")
    ),
    "401_for_ever": Met(
        ending=Ending.REFUSED, status=401, disposition="trunk_misconfigured", said=("401 Unauthorized", "ACK", "INVITE")
    ),
}


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of all the cases: records, what each far end heard, the processes before and after."""

    records: dict[str, CallRecord]
    heard: dict[str, list[bytes]]
    played: dict[str, bool]
    good: list[CallRecord]
    before: set[int]
    after: set[int]


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    with contextlib.ExitStack() as stack:
        folder = tmp_path_factory.mktemp("hostile")
        start = stack.enter_context(sipp_in(folder))
        exchange = stack.enter_context(Exchange())
        # Where it sends two messages at once, our ACK may come between them: that is no reason to give the call up.
        options = ("-key", "exchange", f"127.0.0.1:{exchange.port}", "-default_behaviors", "none")
        far = {name: start(f"hostile_{name}", options=options) for name in CASES}
        numbers = {f"+120255501{60 + at}": name for at, name in enumerate(CASES)}
        exchange.connect({number: far[name].port for number, name in numbers.items()})
        exchange.connect({GOOD: start("refuse", calls=ROUND).port})
        yield within(40, _call_all(exchange, numbers, far))


async def _call_all(exchange: Exchange, numbers: dict[str, str], far: dict[str, Sipp]) -> Round:
    async with agent_on(trunk(exchange.port, lines=32, **ACCOUNT)) as agent:
        calls = [agent.place(request(number, ring_limit_ms=1_500, hold_ms=600)) for number in numbers]
        records = dict(zip(numbers.values(), await asyncio.gather(*calls), strict=True))
        before = {child._process.pid for child in agent._children}
        played = {name: await asyncio.to_thread(one.ended_well) for name, one in far.items()}
        good = await asyncio.gather(*(agent.place(request(GOOD)) for _ in range(ROUND)))
        after = {child._process.pid for child in agent._children}
    heard = {name: exchange.heard[number] for number, name in numbers.items()}
    return Round(records=records, heard=heard, played=played, good=list(good), before=before, after=after)


@pytest.mark.sipp
@pytest.mark.parametrize("name", CASES)
def test_what_a_far_end_does_against_the_rules_is_recorded_as_it_was(name: str, met: Round):
    expected, record = CASES[name], met.records[name]
    judged = judge_call(record)
    final = judged.conversation.final
    assert (expected.ending, expected.status, expected.disposition) == (
        record.ending,
        final.status if final else None,
        judged.verdict.disposition,
    ), said(record)
    spoken = iter(said(record))
    assert all(line in spoken for line in expected.said), said(record)
    assert met.played[name], "the far end did not hear what its scenario asks for"


@pytest.mark.sipp
def test_the_round_goes_on_in_the_same_processes(met: Round):
    assert {Ending.REFUSED} == {record.ending for record in met.good}
    assert met.before <= met.after


@pytest.mark.sipp
def test_a_realm_that_never_asked_gets_no_credentials_when_we_hang_up(met: Round):
    assert [] == [raw for raw in met.heard["bye_challenge"] if b"uthorization" in raw]
    assert 1 == len({raw for raw in met.heard["bye_challenge"] if raw.startswith(b"BYE ")})


@pytest.mark.sipp
def test_a_redirect_is_not_followed_and_a_challenge_not_answered_for_ever(met: Round):
    invites = {name: [raw for raw in heard if raw.startswith(b"INVITE ")] for name, heard in met.heard.items()}
    assert 1 == len(set(invites["302_loop"]))
    assert 2 <= len(set(invites["401_for_ever"])) <= 8


@pytest.mark.sipp
def test_an_answer_after_our_cancel_is_hung_up_at_once(met: Round):
    heard = [raw.split(b" ")[0] for raw in met.heard["200_crosses_cancel"]]
    assert [b"INVITE", b"CANCEL", b"ACK", b"BYE"] == list(dict.fromkeys(heard))
