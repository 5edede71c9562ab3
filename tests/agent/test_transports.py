"""How messages leave: TCP, TLS with its certificates, IPv6, and what stands in the record when nothing could leave."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent.conftest import agent_on, headers_of, invite_of, place, request, said, trunk, within
from agent.far_end import FarEnd, Hangs, reply
from certified import certificate_for, served

from probe.call import CallRecord, Ending
from probe.sip import Request
from probe.stack import Build

# For a far end that answers at once: it may be waited for as long as probe waits at all.
PATIENT = {"ring_limit_ms": 8_000}


def refuses(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, "603 Decline")


def hangs_up(_: Request) -> Iterator[bytes]:
    raise Hangs


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`good.pem` names localhost, `other.pem` another host, `old.pem` is over; each with its key, each its own CA."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, host, last_day in (("good", "localhost", 1), ("other", "other.example.com", 1), ("old", "localhost", -1)):
        certificate_for(folder / f"{name}.pem", host, last_day=last_day)
    return folder


def over_tls(certificate: Path, *, version: ssl.TLSVersion | None = None, **given: object) -> CallRecord:
    with FarEnd(refuses, "tls", tls=served(certificate, version)) as far:
        return place(trunk(far.port, "localhost", "tls", **given), **PATIENT)


def test_tcp_counts_from_when_the_invite_left():
    with FarEnd(refuses, "tcp") as far:
        record = place(trunk(far.port, transport="tcp"), **PATIENT)

    assert (Ending.REFUSED, ["INVITE", "603 Decline", "ACK"]) == (record.ending, said(record)), record.detail
    assert {"TCP"} == {message.transport for message in record.messages}
    assert [0.0] == [m.at_ms for m in record.messages if m.raw.startswith(b"INVITE")]
    assert record.messages[1].at_ms < 500


def test_a_connection_that_was_closed_between_two_calls_is_made_anew():
    def closes_after_each(asked: Request) -> Iterator[bytes]:
        if asked.method == "ACK":
            raise Hangs
        yield from refuses(asked)

    async def two(far: FarEnd) -> list[CallRecord]:
        async with agent_on(trunk(far.port, transport="tcp", lines=1)) as agent:
            first = await agent.place(request(**PATIENT))
            await asyncio.to_thread(far.wait_until_closed)
            return [first, await agent.place(request(**PATIENT))]

    with FarEnd(closes_after_each, "tcp") as far:
        records = within(15, two(far))

    assert [["INVITE", "603 Decline", "ACK"]] * 2 == [said(record) for record in records]
    assert 2 == len({record.messages[0].local for record in records})


def test_tls_takes_a_certificate_of_a_known_ca(certificates: Path):
    record = over_tls(certificates / "good.pem", tls_ca_file=str(certificates / "good.pem"))

    assert (Ending.REFUSED, ["INVITE", "603 Decline", "ACK"]) == (record.ending, said(record))
    assert {"TLS"} == {message.transport for message in record.messages}


@pytest.mark.parametrize(
    ("shown", "trusted", "why"),
    [
        ("good", None, "The certificate is untrusted"),
        ("other", "other", "The server identity does not match to any identities specified in the certificate"),
        ("old", "old", "The certificate has expired or not yet valid"),
    ],
)
def test_a_certificate_that_does_not_hold_ends_the_call_before_anything_is_sent(
    certificates: Path, shown: str, trusted: str | None, why: str
):
    ca_file = str(certificates / f"{trusted}.pem") if trusted else None
    with FarEnd(refuses, "tls", tls=served(certificates / f"{shown}.pem")) as far:
        record = place(trunk(far.port, "localhost", "tls", tls_ca_file=ca_file))
        heard = list(far.heard)

    assert (Ending.NO_RESPONSE, (), []) == (record.ending, record.messages, heard)
    assert (record.detail or "").startswith(f"TLS connection failed: {why}")
    assert record.security is not None
    assert record.security.tls_verify


def test_tls_takes_anything_when_it_is_told_not_to_verify(certificates: Path):
    record = over_tls(certificates / "other.pem", tls_verify=False)

    assert Ending.REFUSED == record.ending
    assert record.security is not None
    assert record.security.tls_verify is False


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_tls_1_1_is_too_old(certificates: Path):
    record = over_tls(certificates / "good.pem", version=ssl.TLSVersion.TLSv1_1, tls_verify=False)

    assert (Ending.NO_RESPONSE, ()) == (record.ending, record.messages)
    # OpenSSL 3 lets the far end refuse what 1.0 refuses by itself.
    told = ("unsupported protocol", "tlsv1 alert protocol version")
    assert (record.detail or "").removeprefix("TLS connection failed: ") in told


def test_tls_is_the_latest_that_the_library_speaks(certificates: Path, build: Build):
    with FarEnd(refuses, "tls", tls=served(certificates / "good.pem")) as far:
        record = place(trunk(far.port, "localhost", "tls", tls_verify=False), **PATIENT)

    assert Ending.REFUSED == record.ending
    assert ("TLSv1.2" if build.tls.startswith("OpenSSL 1.0") else "TLSv1.3") == far.spoken


def test_a_tls_client_certificate_is_shown(certificates: Path):
    context = served(certificates / "good.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates / "other.pem")
    ours = str(certificates / "other.pem")

    with FarEnd(refuses, "tls", tls=context) as far:
        given = {"tls_ca_file": str(certificates / "good.pem"), "tls_cert_file": ours, "tls_key_file": ours}
        record = place(trunk(far.port, "localhost", "tls", **given), **PATIENT)

    assert Ending.REFUSED == record.ending


@pytest.mark.parametrize(("transport", "word"), [("tcp", "TCP"), ("tls", "TLS")])
def test_a_refused_connection_has_no_messages_but_its_cause(transport: str, word: str):
    with FarEnd(refuses, "tcp") as far:
        port = far.port

    record = place(trunk(port, transport=transport))

    assert (Ending.NO_RESPONSE, ()) == (record.ending, record.messages)
    assert f"{word} connection failed: Connection refused" == record.detail


def test_a_connection_closed_in_the_handshake_says_so():
    with FarEnd(hangs_up, "tcp") as far:
        record = place(trunk(far.port, transport="tls"), ring_limit_ms=2_000)

    assert (Ending.NO_RESPONSE, ()) == (record.ending, record.messages)


def test_a_connection_closed_after_the_invite_keeps_the_invite():
    with FarEnd(hangs_up, "tcp") as far:
        record = place(trunk(far.port, transport="tcp"))

    assert (Ending.NO_RESPONSE, ["INVITE"]) == (record.ending, said(record))
    assert "the connection was closed before an answer came" == record.detail


def test_calls_that_share_a_refused_connection_all_say_why():
    with socket.socket() as deaf:  # it keeps the port from everybody else, and nobody listens there
        deaf.bind(("127.0.0.1", 0))
        details = [place(trunk(deaf.getsockname()[1], transport="tcp")).detail for _ in range(2)]

    assert ["TCP connection failed: Connection refused"] * 2 == details


def test_a_name_that_does_not_resolve_has_no_messages_but_its_cause():
    record = place(trunk(5060, "nowhere.invalid"))

    assert (Ending.NO_RESPONSE, ()) == (record.ending, record.messages)
    assert "The trunk's host nowhere.invalid does not resolve; check its spelling and the machine's DNS." == (
        record.detail
    )


def _has_ipv6() -> bool:
    return (
        "::1" in subprocess.run(["ip", "-6", "addr", "show", "lo"], capture_output=True, text=True, check=False).stdout
    )


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ipv6(transport: str):
    with FarEnd(refuses, transport, host="::1") as far:
        record = place(trunk(far.port, "::1", transport), **PATIENT)

    raw = invite_of(record)
    assert (Ending.REFUSED, "INVITE") == (record.ending, said(record)[0])
    assert raw.startswith(f"INVITE sip:+12025550199@[::1]:{far.port}")
    assert "\r\nc=IN IP4 127.0.0.1\r\n" in raw  # the wheel's media is IPv4 only
    assert "[::1]:" in headers_of(raw, "Contact")[0]
    assert {f"[::1]:{far.port}"} == {message.remote for message in record.messages}
    assert all(message.local.startswith("[::1]:") for message in record.messages)
