"""Whatever stands in a caller ID, a callee, a user name or an extra header: the INVITE on the wire is one, and whole.

Files and the command line refuse most of this (`tests/scenario`); here it comes by another way, such as a database.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from agent.conftest import agent_on, headers_of, request, trunk, within
from agent.far_end import FarEnd, reply

from probe.agent.dialling import Route, account, invite
from probe.agent.resolve import Hop
from probe.call import CallRecord, Ending
from probe.scenario.trunk_uri import trunk_from_uri
from probe.sip import Request, read_request
from probe.trunk import IdentityHeader, Transport

ENDS = (
    *(
        "\r\nX-Evil: 1",
        "\nX-Evil: 1",
        "\rX-Evil: 1",
        "%0d%0aX-Evil: 1",
        "\r\n\r\nBYE sip:x SIP/2.0",
        "\0\x1b[2J\x85\u2028",
    ),
    *(">\r\nX-Evil: 1\r\nX: <", '"><sip:x@evil.example', "@evil.example", "@evil.example;", ";npdi;rn=+19005550100"),
    *(
        "?X-Evil=1",
        "?Route=%3Csip:evil%3E",
        ",<sip:x@evil.example>",
        ' "x" <y>',
        "\\",
        "%",
        "%25",
        "\u00e9\u202e",
        ":secret",
    ),
)
EVERY_IDENTITY = (IdentityHeader.FROM, IdentityHeader.ASSERTED, IdentityHeader.PREFERRED, IdentityHeader.REMOTE_PARTY)
NUMBER, OTHER = "+12025550101", "+12025550199"


def refuses(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, "603 Decline")


def invites(far: FarEnd) -> list[bytes]:
    return [raw for raw in dict.fromkeys(far.heard) if raw.startswith(b"INVITE ")]


def placed(asked: list[dict[str, Any]], **given: Any) -> tuple[list[CallRecord], list[bytes]]:
    """Place all calls with one agent; give their records and what went over the wire."""

    async def all_of_them(far: FarEnd) -> list[CallRecord]:
        async with agent_on(trunk(far.port, lines=16, **given)) as agent:
            return list(await asyncio.gather(*(agent.place(request(**one)) for one in asked)))

    with FarEnd(refuses) as far:
        return within(30, all_of_them(far)), invites(far)


def names(raw: bytes) -> Counter[str]:
    """How often each header stands there; what a message smuggles in would make another one, or a second."""
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    assert all(re.match(rb"[A-Za-z-]+: ", line) for line in head), head
    return Counter(line.partition(b":")[0].decode() for line in head)


def user_of(address: str) -> str:
    """What a reader of RFC 3261 takes for the user: it may have ; and ? there. The host has to be our own."""
    found = re.fullmatch(r"<?sip:([^@<>\s\"]+)@127\.0\.0\.1(?::\d+)?(?:;ob)?>?(?:;[^<>\s\"]*)?", address)
    assert found, address
    return meant(found[1])


def meant(user: str) -> str:
    """The library leaves a percent sign as it is: one that was meant as such reads like an escape, and is none."""
    return unquote(unquote(user))


@pytest.fixture(scope="module")
def plain() -> Counter[str]:
    _, [raw] = placed([{}], identity=EVERY_IDENTITY, headers=(("X-Account", "7"),))
    return names(raw)


def test_no_caller_id_makes_another_header_or_another_caller(plain: Counter[str]):
    callers = [NUMBER + end for end in ENDS]
    records, sent = placed(
        [{"caller": caller} for caller in callers], identity=EVERY_IDENTITY, headers=(("X-Account", "7"),)
    )
    assert {Ending.REFUSED} == {record.ending for record in records}
    assert [plain] * len(callers) == [names(raw) for raw in sent]
    for name in ("From", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"):
        assert set(map(meant, callers)) == {user_of(headers_of(raw.decode(), name)[0]) for raw in sent}, name


def test_no_callee_makes_another_header_or_another_target(plain: Counter[str]):
    callees = [OTHER + end for end in ENDS]
    records, sent = placed(
        [{"callee": callee} for callee in callees], identity=EVERY_IDENTITY, headers=(("X-Account", "7"),)
    )
    assert {Ending.REFUSED} == {record.ending for record in records}
    assert [plain] * len(callees) == [names(raw) for raw in sent]
    assert set(map(meant, callees)) == {user_of(raw.split(b" ", 2)[1].decode()) for raw in sent}
    assert set(map(meant, callees)) == {user_of(headers_of(raw.decode(), "To")[0]) for raw in sent}
    assert all(raw.split(b"\r\n")[0].endswith(b" SIP/2.0") for raw in sent)


def test_no_extra_header_brings_another_one(plain: Counter[str]):
    extra = tuple((f"X-Account-{chr(97 + at)}", f"7{end}") for at, end in enumerate(ENDS))
    [record], [raw] = placed([{}], identity=EVERY_IDENTITY, headers=extra)
    assert Ending.REFUSED == record.ending
    others = Counter(name for name, _ in extra) - Counter(["X-Account-a"])
    assert plain == Counter({name.removesuffix("-a"): count for name, count in (names(raw) - others).items()})
    assert all(" " + value[:1] in raw.decode() for _, value in extra)


@pytest.mark.parametrize("end", ["@evil.example", "\r\nX-Evil: 1", '"><sip:x@evil.example', "?X-Evil=1"])
def test_no_user_name_makes_another_header_or_another_contact(end: str, plain: Counter[str]):
    [record], [raw] = placed(
        [{}], identity=EVERY_IDENTITY[1:], headers=(("X-Account", "7"),), username=f"me{end}", password="x"
    )
    assert Ending.REFUSED == record.ending
    assert plain == names(raw)
    for name in ("From", "Contact"):
        assert f"me{end}" == user_of(headers_of(raw.decode(), name)[0])


def test_every_part_of_a_dialled_uri_is_the_trunks_but_the_user():
    """The same without the library between: what is ordered of it is one line each."""
    one = trunk_from_uri("sip:192.0.2.20")
    hop = Hop(host="192.0.2.20", address="192.0.2.20", port=5060, transport=Transport.UDP)
    for end in ENDS:
        dial = invite(Route(trunk=one, hop=hop, local="192.0.2.10"), request(OTHER + end, caller=NUMBER + end), "c1")
        ordered = (dial.target, dial.caller, account(Route(trunk=one, hop=hop, local="192.0.2.10")).uri)
        assert all(re.fullmatch(r"<sip:[^@<>;?\s\"]+@192\.0\.2\.20>", uri) for uri in ordered), ordered
        assert all(value.isprintable() for _, value in dial.headers)


def test_the_call_id_is_our_own():
    _, sent = placed([{"caller": NUMBER + end} for end in ENDS])
    read = [read_request(raw) for raw in sent]
    assert all(re.fullmatch(r"[0-9a-f]{32}", one.header("Call-ID") or "") for one in read if one)
    assert len(ENDS) == len({one.header("Call-ID") for one in read if one})
