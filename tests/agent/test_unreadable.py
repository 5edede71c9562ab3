"""Messages that the library cannot take: what its log shows of them is kept, and never called silence."""

from collections.abc import Iterator

import pytest
from agent.conftest import place, said, trunk
from agent.far_end import FarEnd, reply

from probe.call import CallRecord, Ending
from probe.sip import Request, read_conversation

REASON = 'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r";location=RLN'


def refuse(*headers: str, transport: str = "udp", provisional: tuple[str, ...] = ()) -> CallRecord:
    def refuses(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "100 Trying")
            if provisional:
                yield reply(asked, "183 Session Progress", *provisional)
            yield reply(asked, "603 Network Blocked", REASON, *headers)

    with FarEnd(refuses, transport) as far:
        return place(trunk(far.port, transport=transport), ring_limit_ms=4_000)


@pytest.mark.parametrize(
    ("transport", "size"), [("tcp", 5_000), ("tcp", 60_000), ("udp", 3_000), ("udp", 3_500), ("udp", 5_000)]
)
def test_a_response_too_large_for_the_library_is_read_from_its_head(transport: str, size: int):
    record = refuse("X-Pad: " + "a" * size, transport=transport)

    read = read_conversation(record.messages)
    assert Ending.REFUSED == record.ending
    assert read.final is not None
    assert (603, [603]) == (read.final.status, [reason.cause for reason in read.final.reasons])
    assert (size > 3_000) == read.cut  # the log has 4,000 bytes for a message and its own words
    large = next(m for m in record.messages if m.raw.startswith(b"SIP/2.0 603"))
    assert large.at_ms < 2_000
    assert record.messages[0].remote == large.remote


def test_a_provisional_too_large_for_the_library_does_not_end_the_call():
    record = refuse(transport="udp", provisional=("X-Pad: " + "a" * 5_000,))

    assert Ending.REFUSED == record.ending
    assert ["100 Trying", "183 Session Progress", "603 Network Blocked"] == said(record)[1:4]


def test_bytes_that_are_not_utf_8_are_kept():
    record = refuse("X-Odd: " + b"\xff\xfe caf\xe9".decode("utf-8", "surrogateescape"))

    assert b"X-Odd: \xff\xfe caf\xe9\r\n" in record.messages[2].raw
    assert not record.messages[2].cut


def test_a_message_with_nul_is_kept_up_to_there():
    record = refuse("X-Nul: a\0b")

    assert Ending.REFUSED == record.ending
    final = record.messages[2]
    assert final.raw.startswith(b"SIP/2.0 603 Network Blocked\r\n")
    assert final.raw.endswith(b"X-Nul: a")
    assert final.cut


def test_a_header_that_the_library_cannot_parse_does_not_make_a_refusal_silence():
    record = refuse("Contact: <<<")

    assert Ending.REFUSED == record.ending
    assert b"Contact: <<<\r\n" in record.messages[2].raw
    assert not record.messages[2].cut
