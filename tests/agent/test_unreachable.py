"""A far end that wants to be reached in a way that the trunk does not go: its call is given up, no other is touched."""

import asyncio
from collections.abc import Iterator

import pytest
from agent.conftest import agent_on, request, said, trunk, within
from agent.far_end import SDP, FarEnd, answer, reply

from probe.call import CallRecord, Ending
from probe.sip import Request
from probe.trunk import Transport
from probe.unreachable import leads_elsewhere, names_a_host

ODD, GOOD, RINGING = "+12025550160", "+12025550150", "+12025550161"
NEAR = "Contact: <sip:far@127.0.0.1:9>"
NAMED = SDP.replace("127.0.0.1", "media.example.com")
LEADS_ELSEWHERE = {
    "another transport": ("Contact: <sip:far@127.0.0.1:9;transport=tcp>",),
    "TLS": ("Contact: <sips:far@127.0.0.1:9>",),
    "a telephone": ("Contact: <tel:+12025550160>",),
    "the Web": ("Contact: <http://127.0.0.1:9>",),
    "a route over TLS": (NEAR, "Record-Route: <sip:127.0.0.1:9;lr>, <sip:127.0.0.1:9;transport=tls;lr>"),
}


def far_end(*headers: str, sdp: str = SDP) -> FarEnd:
    def says(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE" and ODD in asked.uri:
            yield reply(asked, "180 Ringing")
            yield reply(asked, "200 OK", *headers, body=sdp.format(port=4))
        elif asked.method == "INVITE":
            yield answer(asked, far.port) if GOOD in asked.uri else reply(asked, "180 Ringing")
        elif asked.method in {"BYE", "CANCEL"}:
            yield reply(asked, "200 OK")
        if asked.method == "CANCEL" and RINGING in asked.uri:
            yield reply(asked, "487 Request Terminated").replace(b"CANCEL", b"INVITE")

    far = FarEnd(says)
    return far


async def _beside_others(far: FarEnd) -> tuple[CallRecord, list[CallRecord], CallRecord]:
    """The call, those that ring beside it in the same child, and the next one."""
    async with agent_on(trunk(far.port, lines=4)) as agent:
        beside = [asyncio.create_task(agent.place(request(RINGING, ring_limit_ms=2_500))) for _ in range(3)]
        await asyncio.to_thread(far.wait_for, "INVITE", count=3)
        assert 1 == len(agent._children)
        odd = await agent.place(request(ODD))
        return odd, list(await asyncio.gather(*beside)), await agent.place(request(GOOD))


@pytest.mark.parametrize("name", LEADS_ELSEWHERE)
def test_an_answer_that_cannot_be_acknowledged_costs_no_other_call(name: str):
    with far_end(*LEADS_ELSEWHERE[name]) as far:
        odd, beside, after = within(20, _beside_others(far))

    assert (Ending.ANSWERED, "the SIP library cannot act on the final response") == (odd.ending, odd.detail)
    assert ["INVITE", "180 Ringing", "200 OK"] == said(odd)[:3]
    assert [(Ending.RING_LIMIT, None)] * 3 == [(one.ending, one.detail) for one in beside]
    assert (Ending.ANSWERED, None) == (after.ending, after.detail)


def test_media_at_a_name_is_not_looked_up():
    """The library would wait for it, and hear no other call."""
    with far_end(NEAR, sdp=NAMED) as far:
        odd, beside, after = within(20, _beside_others(far))

    assert (Ending.ANSWERED, ["INVITE", "180 Ringing", "200 OK"]) == (odd.ending, said(odd)[:3])
    assert "the SIP library cannot act on the final response" == odd.detail
    assert [Ending.RING_LIMIT] * 3 == [one.ending for one in beside]
    assert Ending.ANSWERED == after.ending


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"c=IN IP4 192.0.2.1", False),
        (b"c=IN IP4 192.0.2.1/127", False),
        (b"c=IN IP6 2001:db8::1", False),
        (b"c=IN IP4 media.example.com", True),
        (b"c=IN IP4 999.1.1.1", True),
        (b"C=in ip4\tmedia", True),
        (b"a=rtcp:4001", False),
        (b"a=rtcp:4001 IN IP4 192.0.2.1", False),
        (b"a=rtcp:4001 IN IP4 media.example.com", True),
        (b"o=- 1 1 IN IP4 media.example.com", False),  # nobody goes there
        (b"s=c=IN IP4 media.example.com", False),
    ],
)
def test_sdp_that_names_a_host_is_known(line: bytes, named: bool):
    assert named is names_a_host(b"SIP/2.0 200 OK\r\n\r\nv=0\r\n" + line + b"\r\nt=0 0\r\n")


START = b"SIP/2.0 %s\r\nCSeq: 1 %s\r\n%s\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "over"),
    [
        (b"Contact: <sip:far@a>", {"udp", "tcp", "tls"}),
        (b"Contact: sip:far@a;transport=tcp", {"udp", "tcp", "tls"}),  # a parameter of the header (RFC 3261 s20.10)
        (b"m: <sip:far@a;Transport=TCP>", {"tcp"}),
        (b'Contact: "x, <y>" <sip:far@a;transport=%75dp;lr>', {"udp"}),
        (b"Contact: <sip:far@a;transport=ws>", {"udp", "tcp", "tls"}),
        (b"Contact: <sips:far@a;transport=tcp>", {"tls"}),
        (b"Contact: <mailto:far@a>", set()),
        (b"Contact: <sip:far@a;transport=tls>\r\nRecord-Route: <sip:a;transport=tls>, <sip:b;transport=udp>", {"udp"}),
        (b"Record-Route: <sip:b;transport=udp>\r\nRecord-Route: <sip:a;transport=tls>", {"tls"}),
        (b"Contact: *", {"udp", "tcp", "tls"}),
        (b"X: none", {"udp", "tcp", "tls"}),
    ],
)
def test_the_next_hop_is_the_last_route_or_the_contact(headers: bytes, over: set[str]):
    raw = START % (b"200 OK", b"INVITE", headers)
    assert over == {one.value for one in Transport if not leads_elsewhere(raw, one)}


@pytest.mark.parametrize(
    ("status", "method", "headers", "elsewhere"),
    [
        (b"200 OK", b"INVITE", b"", True),
        (b"180 Ringing", b"INVITE", b"", False),
        (b"183 Session Progress", b"INVITE", b"require : x, 100rel\r\n", True),  # PRACK follows
        (b"302 Moved Temporarily", b"INVITE", b"", False),
        (b"603 Network Blocked", b"INVITE", b"Require: 100rel\r\n", False),
        (b"200 OK", b"OPTIONS", b"", False),
    ],
)
def test_only_what_the_library_would_answer_is_looked_at(status: bytes, method: bytes, headers: bytes, elsewhere: bool):
    raw = START % (status, method, headers + b"Contact: <sip:far@a;transport=tcp>")
    assert elsewhere is leads_elsewhere(raw, Transport.UDP)
