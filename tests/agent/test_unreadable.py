"""Messages that the library cannot take: what its log shows of them is kept, and never called silence."""

from collections.abc import Iterator

import pytest
from agent.conftest import place, said, trunk
from agent.far_end import FarEnd, reply

from probe.call import CallRecord, Ending
from probe.sip import Request, read_conversation
from probe.stack import Build

DATAGRAM = 65_507  # the most that UDP over IPv4 carries
REASON = 'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r";location=RLN'


def refuse(
    *headers: str, transport: str = "udp", provisional: tuple[str, ...] = (), size: int | None = None
) -> CallRecord:
    def refuses(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "100 Trying")
            if provisional:
                yield reply(asked, "183 Session Progress", *provisional)
            yield padded(asked, size) if size else reply(asked, "603 Network Blocked", REASON, *headers)

    with FarEnd(refuses, transport) as far:
        return place(trunk(far.port, transport=transport), ring_limit_ms=4_000)


def padded(asked: Request, size: int) -> bytes:
    """A refusal of exactly so many bytes."""
    short = len(reply(asked, "603 Network Blocked", REASON, "X-Pad: "))
    return reply(asked, "603 Network Blocked", REASON, "X-Pad: " + "a" * (size - short))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_response_as_large_as_the_library_takes_is_kept_whole(transport: str, build: Build):
    size = min(build.limits.message_bytes, DATAGRAM)
    record = refuse(transport=transport, size=size)

    assert (Ending.REFUSED, ["INVITE", "100 Trying", "603 Network Blocked", "ACK"]) == (record.ending, said(record))
    assert size == len(record.messages[2].raw)
    assert not record.messages[2].cut


@pytest.mark.parametrize(("transport", "beyond"), [("udp", 300), ("udp", 500), ("tcp", 300), ("tcp", 60_000)])
def test_a_response_too_large_for_the_library_is_read_from_its_head(transport: str, beyond: int, build: Build):
    size = build.limits.message_bytes + beyond
    if transport == "udp":
        size = min(size, DATAGRAM)
    record = refuse(transport=transport, size=size)

    read = read_conversation(record.messages)
    assert Ending.REFUSED == record.ending
    assert read.final is not None
    assert (603, [603]) == (read.final.status, [reason.cause for reason in read.final.reasons])
    assert (size > build.limits.message_bytes) == read.cut
    large = next(m for m in record.messages if m.raw.startswith(b"SIP/2.0 603"))
    assert large.at_ms < 2_000
    assert record.messages[0].remote == large.remote


def test_a_provisional_too_large_for_the_library_does_not_end_the_call(build: Build):
    record = refuse(transport="udp", provisional=("X-Pad: " + "a" * min(build.limits.message_bytes, 64_000),))

    assert Ending.REFUSED == record.ending
    assert ["100 Trying", "183 Session Progress", "603 Network Blocked"] == said(record)[1:4]


def test_bytes_that_are_not_utf_8_are_kept():
    record = refuse("X-Odd: " + b"\xff\xfe caf\xe9".decode("utf-8", "surrogateescape"))

    assert b"X-Odd: \xff\xfe caf\xe9\r\n" in record.messages[2].raw
    assert not record.messages[2].cut


def test_a_message_with_nul_is_kept_to_the_byte():
    record = refuse("X-Nul: a\0b")

    assert Ending.REFUSED == record.ending
    final = record.messages[2]
    assert final.raw.startswith(b"SIP/2.0 603 Network Blocked\r\n")
    assert b"\r\nX-Nul: a\0b\r\n" in final.raw
    assert final.raw.endswith(b"\r\n\r\n")
    assert not final.cut


def test_a_header_that_the_library_cannot_parse_does_not_make_a_refusal_silence():
    record = refuse("Contact: <<<")

    assert Ending.REFUSED == record.ending
    assert b"Contact: <<<\r\n" in record.messages[2].raw
    assert not record.messages[2].cut
