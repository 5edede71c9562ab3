"""What each reading begins with: the messages, files and answers that the project knows already."""

import base64
import json
import re
from collections.abc import Iterator

from tests.fuzz.readings import BETWEEN, CARD, DATA, FOUND

_SENT_BY_SIPP = re.compile(rb"<!\[CDATA\[\s*(.*?)\]\]>", re.DOTALL)
_INVITE = (
    b"INVITE sip:+12025550191@192.0.2.20 SIP/2.0\r\nFrom: <sip:+12025550101@192.0.2.10>;tag=a\r\n"
    b"To: <sip:+12025550191@192.0.2.20>\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
)
_RINGING = b"SIP/2.0 180 Ringing\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
_BYE = b"BYE sip:probe@192.0.2.10 SIP/2.0\r\nCall-ID: c1\r\nCSeq: 7 BYE\r\nReason: SIP;cause=607\r\n\r\n"


def seeds(reading: str) -> tuple[bytes, ...]:
    """Give what the fuzzer and the tests begin with, what was found before among it."""
    return (*_KNOWN[reading](), *found(reading))


def found(reading: str) -> tuple[bytes, ...]:
    """Give what fuzzing found in former days."""
    return tuple(path.read_bytes() for path in sorted((FOUND / reading).glob("*")))


def _files(*patterns: str) -> Iterator[bytes]:
    for pattern in patterns:
        yield from (path.read_bytes() for path in sorted(DATA.glob(pattern)))


def _messages() -> Iterator[bytes]:
    """The corpus, our own samples, those of RFC 4475, and what the SIPp scenarios send."""
    yield from _files("corpus/*.sip", "responses/*.sip", "rfc4475/**/*.sip")
    for scenario in _files("sipp/*.xml"):
        for sent in _SENT_BY_SIPP.findall(scenario):
            yield b"\r\n".join(sent.splitlines()) + b"\r\n\r\n"


def _requests() -> Iterator[bytes]:
    yield from _messages()
    for header in (
        b'Authorization: Digest realm="evil", response="a"',
        b"X-Token: t",
        b"a=crypto:1 AES inline:secretkey",
    ):
        yield _BYE.replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n\r\n")


def _reasons() -> Iterator[bytes]:
    for message in _messages():
        yield from re.findall(rb"^Reason: *(.*?)\r?$", message, re.MULTILINE | re.IGNORECASE)


def _calls() -> Iterator[bytes]:
    ids = re.compile(rb"^(Call-ID|i|CSeq) *:.*?(\r?\n)", re.MULTILINE | re.IGNORECASE)
    for message in _messages():
        answer = ids.sub(b"", message).replace(b"\r\n", b"\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n", 1)
        yield BETWEEN.join(
            (b">" + _INVITE, b"<SIP/2.0 180 Ringing\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n", b"<" + answer)
        )
        yield BETWEEN.join((b">" + _INVITE, b"<<" + answer, b"<" + _BYE))


def _jcards() -> Iterator[bytes]:
    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    header = {"alg": "ES256", "typ": "vcard+json", "x5u": "https://certs.example.com/a.pem"}
    card = ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "A"], ["adr", {}, "text", ["", "1 Main"]]]]
    for payload in ({"iat": 1_800_000_000, "jcard": card}, {"iat": 1e400, "jcard": [[]]}, [], {"jcard": {"a": card}}):
        yield b".".join((part(header), part(payload), b"c2ln"))


def _signed_cards() -> Iterator[bytes]:
    for chain in _files("cards/*.pem"):
        yield CARD + BETWEEN + chain
    for card in _jcards():
        yield card + BETWEEN


def _packets() -> Iterator[bytes]:
    def packet(number: int, ends: tuple[str, str], raw: bytes) -> bytes:
        layers = {
            "frame": {"frame_frame_time_epoch": f"179534160{number}.000000000", "frame_frame_number": str(number)},
            "ip": {"ip_ip_src": ends[0], "ip_ip_dst": ends[1]},
            "udp": {"udp_udp_srcport": "5060", "udp_udp_dstport": "5060"},
            "sip_raw": raw.hex(),
        }
        return json.dumps({"layers": layers}).encode()

    ends = ("192.0.2.10", "192.0.2.20")
    refusal = b"SIP/2.0 603 Decline\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
    yield b"\n".join((b'{"index": {}}', packet(1, ends, _INVITE), packet(2, ends[::-1], refusal)))


def _answers() -> Iterator[bytes]:
    for asked in ("120", "Wed, 21 Oct 2026 07:28:00 GMT", "Mon, 01 Jan 99999999999 00:00:00 GMT", "-1", "1e9", ""):
        yield f"503\n{asked}".encode()
    yield b"200\n"


def _numbers() -> Iterator[bytes]:
    for text in ("+12025550101", "911", "tel:+1-900-555-0100", "sip:112@example.com", "%2B1988", "0019005550100"):
        yield text.encode()


_KNOWN = {
    "response": _messages,
    "request": _requests,
    "reason": _reasons,
    "call": _calls,
    "jcard": _jcards,
    "card": _signed_cards,
    "rows": lambda: _files("import/*"),
    "capture": _packets,
    "scenario": lambda: _files("scenarios/valid/*.yaml", "scenarios/invalid/*.yaml"),
    "callers": lambda: _files("scenarios/*/*.csv"),
    "answer": _answers,
    "number": _numbers,
}
