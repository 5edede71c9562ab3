"""What stands in an INVITE, and where it goes: identity, SDP, NAT, routes, DNS."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest
from agent.conftest import headers_of, invite_of, missing, place, said, trunk
from agent.far_end import FarEnd, Served, reply
from agent.test_transports import certificate_for, served

from probe.agent.resolve import resolve
from probe.call import CallRecord, Ending
from probe.sip import Request
from probe.stack import Build
from probe.trunk import IdentityHeader, Transport

CALLER = "sip:+12025550101@127.0.0.1"


def refuses(asked: Request) -> Iterator[bytes]:
    if asked.method in {"INVITE", "REGISTER"}:
        yield reply(asked, "603 Decline")


def invited(**given: Any) -> str:
    with FarEnd(refuses) as far:
        record = place(trunk(far.port, **given))
    assert Ending.REFUSED == record.ending, record.detail
    return invite_of(record)


@pytest.mark.parametrize(
    ("identity", "name", "value"),
    [
        (IdentityHeader.ASSERTED, "P-Asserted-Identity", f"<{CALLER}>"),
        (IdentityHeader.PREFERRED, "P-Preferred-Identity", f"<{CALLER}>"),
        (IdentityHeader.REMOTE_PARTY, "Remote-Party-ID", f"<{CALLER}>;party=calling;screen=yes;privacy=off"),
    ],
)
def test_the_caller_id_stands_only_where_the_trunk_says(identity: IdentityHeader, name: str, value: str):
    raw = invited(identity=(identity,), username="account7")

    assert [value] == headers_of(raw, name)
    assert headers_of(raw, "From")[0].startswith("<sip:account7@127.0.0.1>;tag=")
    assert 1 == raw.count(CALLER)


def test_the_caller_id_stands_in_from_and_the_account_in_contact():
    raw = invited(identity=(IdentityHeader.FROM,), username="account7", from_domain="example.com")

    assert headers_of(raw, "From")[0].startswith("<sip:+12025550101@example.com>;tag=")
    assert headers_of(raw, "Contact")[0].startswith("<sip:account7@127.0.0.1:")
    assert 1 == raw.count("+12025550101")


def test_what_every_invite_says():
    raw = invited(headers=(("X-Account", "7"), ("X-Route", "test")))

    assert ["*;+sip.608"] == headers_of(raw, "Feature-Caps")
    assert "100rel" in headers_of(raw, "Supported")[0]
    assert (["7"], ["test"]) == (headers_of(raw, "X-Account"), headers_of(raw, "X-Route"))
    assert headers_of(raw, "Via")[0].startswith("SIP/2.0/UDP 127.0.0.1:")
    assert ";rport;" in headers_of(raw, "Via")[0]


def test_the_offer_names_what_trunks_take_and_the_bound_address(build: Build):
    raw = invited()

    codecs = [line.split()[1] for line in raw.split("\r\n") if line.startswith("a=rtpmap:")]
    wideband = [] if build.native else ["G722/8000"]  # the native build has nothing that could resample it
    assert ["PCMU/8000", "PCMA/8000", *wideband, "telephone-event/8000"] == codecs
    assert ["127.0.0.1"] == [line.split()[-1] for line in raw.split("\r\n") if line.startswith("c=")]
    assert raw.split("\r\no=")[1].split("\r\n")[0].endswith(" IN IP4 127.0.0.1")


def test_a_bound_address_is_where_messages_leave():
    with FarEnd(refuses) as far:
        record = place(trunk(far.port, bind="127.0.0.9"))

    assert all(message.local.startswith("127.0.0.9:") for message in record.messages)
    assert "c=IN IP4 127.0.0.9\r\n" in invite_of(record)


def test_a_stated_public_address_stands_in_contact_via_and_sdp():
    raw = invited(public_address="192.0.2.77")

    assert "@192.0.2.77:" in headers_of(raw, "Contact")[0]
    assert headers_of(raw, "Via")[0].startswith("SIP/2.0/UDP 192.0.2.77:")
    assert "c=IN IP4 192.0.2.77\r\n" in raw


@pytest.fixture
def stun() -> Iterator[str]:
    """A STUN server (Debian: stun-server). It wants two addresses and two ports."""
    program = shutil.which("stund", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        missing("stund is not installed; on Debian: apt-get install stun-server")
    port = 20_000 + threading.get_native_id() % 9_000
    command = [program, "-h", "127.0.0.1", "-a", "127.0.0.2", "-p", str(port), "-o", str(port + 1)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def test_stun_tells_our_address(stun: str):
    raw = invited(stun=stun)

    assert headers_of(raw, "Contact")[0].startswith("<sip:anonymous@127.0.0.1:")
    assert "c=IN IP4 127.0.0.1\r\n" in raw


def test_a_stun_server_that_is_silent_is_named():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, FarEnd(refuses) as far:
        silent.bind(("127.0.0.1", 0))
        record = place(trunk(far.port, stun=f"127.0.0.1:{silent.getsockname()[1]}"))

    assert (Ending.AGENT_FAILED, ()) == (record.ending, record.messages)
    assert "STUN" in (record.detail or "")


def test_an_outbound_proxy_gets_the_call_and_stands_in_route():
    with FarEnd(refuses) as proxy:
        record = place(trunk(None, "carrier.invalid", outbound_proxy=f"sip:127.0.0.1:{proxy.port}"))

    raw = invite_of(record)
    assert Ending.REFUSED == record.ending
    assert raw.startswith("INVITE sip:+12025550199@carrier.invalid SIP/2.0\r\n")
    assert [f"<sip:127.0.0.1:{proxy.port};lr>"] == headers_of(raw, "Route")


class Nameserver(Served):
    """Answers from records such as `("far.example.com.", "A", "127.0.0.1")`; any other name does not exist."""

    def __init__(self, *records: tuple[str, str, str], address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__()
        rrsets = [dns.rrset.from_text(name, 60, "IN", kind, text) for name, kind, text in records]
        self._records = {(rrset.name, rrset.rdtype): rrset for rrset in rrsets}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.2)
        self._socket.bind((address, port))
        self.address = f"{address}:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._socket.close()

    def _serve(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                raw, peer = self._socket.recvfrom(2_000)
                self._socket.sendto(self._answer(dns.message.from_wire(raw)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        found = self._records.get((query.question[0].name, query.question[0].rdtype))
        if found is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(found)
        return answer


def by_dns(records: Sequence[tuple[str, str, str]], spoken: str, **given: Any) -> CallRecord:
    """Call carrier.example.com, found by the records; `PORT` in them is the far end's."""
    with FarEnd(refuses, spoken) as far:
        known = [(name, kind, text.replace("PORT", str(far.port))) for name, kind, text in records]
        with Nameserver(*known) as server:
            return place(trunk(None, "carrier.example.com", **{"nameservers": (server.address,)} | given))


A = ("edge.example.com.", "A", "127.0.0.1")


def test_srv_finds_the_far_end_and_leaves_no_trace_in_the_invite():
    srv = ("_sip._udp.carrier.example.com.", "SRV", "10 10 PORT edge.example.com.")

    record = by_dns([srv, A], "udp")

    raw = invite_of(record)
    assert (Ending.REFUSED, ["INVITE", "603 Decline", "ACK"]) == (record.ending, said(record))
    assert raw.startswith("INVITE sip:+12025550199@carrier.example.com SIP/2.0\r\n")
    assert [] == headers_of(raw, "Route")
    assert "edge" not in raw


def test_the_srv_record_of_least_priority_is_taken():
    srv = dns.rrset.from_text("_sip._udp.x.", 60, "IN", "SRV", "20 99 1 b.", "10 1 5070 edge.example.com.", "10 0 2 c.")

    with Nameserver(A) as server:
        server._records[(srv.name, srv.rdtype)] = srv
        hop = asyncio.run(resolve("x", None, Transport.UDP, (server.address,)))

    assert ("127.0.0.1", 5070, True) == (hop.address, hop.port, hop.by_srv)


def test_naptr_chooses_the_transport():
    naptr = ("carrier.example.com.", "NAPTR", '10 10 "s" "SIP+D2T" "" _sip._tcp.carrier.example.com.')
    srv = ("_sip._tcp.carrier.example.com.", "SRV", "10 10 PORT edge.example.com.")

    record = by_dns([naptr, srv, A], "tcp", transport_given=False)

    assert (Ending.REFUSED, {"TCP"}) == (record.ending, {message.transport for message in record.messages})


@pytest.mark.skipif(os.geteuid() != 0, reason="a nameserver on port 53, the only one the SIP library knows, needs root")
@pytest.mark.parametrize(("named", "ending"), [("carrier.example.com", Ending.REFUSED), ("edge.example.com", None)])
def test_the_certificate_behind_srv_must_name_the_domain(tmp_path: Path, named: str, ending: Ending | None):
    certificate = tmp_path / "far.pem"
    certificate_for(certificate, named)
    with FarEnd(refuses, "tls", tls=served(certificate)) as far:
        srv = ("_sips._tcp.carrier.example.com.", "SRV", f"10 10 {far.port} edge.example.com.")
        with Nameserver(srv, A, address=_own_address(), port=53) as server:
            given = {"nameservers": (server.address.removesuffix(":53"),), "tls_ca_file": str(certificate)}
            record = place(trunk(None, "carrier.example.com", "tls", **given))

    assert (ending or Ending.NO_RESPONSE) == record.ending, record.detail
    if ending is None:
        assert "The server identity does not match" in (record.detail or "")


def _own_address() -> str:
    """An address of 127/8 for each test process, so that several may have a port 53."""
    return f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"


def test_tls_by_srv_needs_a_nameserver_that_the_library_can_ask():
    record = by_dns(
        [("_sips._tcp.carrier.example.com.", "SRV", "1 1 PORT edge.example.com."), A], "tcp", transport="tls"
    )

    assert (Ending.NO_RESPONSE, ()) == (record.ending, record.messages)
    assert "give the trunk a nameserver with IPv4 on port 53" in (record.detail or "")
