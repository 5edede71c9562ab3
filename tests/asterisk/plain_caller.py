"""A caller that speaks just enough SIP to prove what the carrier does: takes a number, gives what came back.

It shares nothing with probe's own user agent, so the two cannot be wrong in the same way.
"""

import hashlib
import re
import socket
import ssl
import uuid
from dataclasses import dataclass, replace
from typing import Self

from asterisk.container import Carrier

PATIENCE_S = 8.0
SILENCE_S = 1.0
PACKETS = 5
FRAME = bytes(range(160))  # 20 ms of PCMU that cannot be taken for silence or a tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request or response as it came in; `status` is 0 of a request."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def phrase(self) -> str:
        return self.start.split(" ", 2)[2]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        return ", ".join(self.all(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call came to. `final` is None for silence, `farewell` is the far end's BYE, `rtp` the payloads heard."""

    provisional: tuple[int, ...] = ()
    challenges: tuple[int, ...] = ()
    pracked: tuple[int, ...] = ()
    final: Received | None = None
    farewell: Received | None = None
    after_bye: int | None = None
    rtp: tuple[bytes, ...] = ()

    @property
    def status(self) -> int | None:
        return self.final.status if self.final else None


class Line:
    """One transport to the edge and one dialog on it."""

    def __init__(self, carrier: Carrier, caller: str, *, transport: str = "udp", host: str = "127.0.0.1") -> None:
        self.caller, self.transport = caller, transport
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.edge = at(host, carrier.port)
        self.call_id, self.cseq, self.invite = uuid.uuid4().hex, 0, ""
        self.to_tag, self.target, self.unread = "", "", b""
        self.contact = ""  # what to state as our own contact, where it is not our address
        self.routes: list[str] = []
        self.media = socket.socket(family, socket.SOCK_DGRAM)
        self.media.bind((host, 0))
        self.host = host
        self.wire = self._connect(carrier, family)

    def _connect(self, carrier: Carrier, family: int) -> socket.socket:
        if self.transport == "udp":
            wire = socket.socket(family, socket.SOCK_DGRAM)
            wire.connect((self.host, carrier.port))
            return wire
        port = carrier.tls_port if self.transport == "tls" else carrier.port
        stream = socket.create_connection((self.host, port), timeout=PATIENCE_S)
        if self.transport == "tcp":
            return stream
        return ssl.create_default_context(cafile=carrier.ca_file).wrap_socket(stream, server_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()
        self.media.close()

    def request(self, method: str, callee: str, *, body: str = "", extra: tuple[str, ...] = ()) -> None:
        """Send a new request, in the dialog once there is one."""
        if method != "ACK":
            self.cseq += 1
        via = f"Via: SIP/2.0/{self.transport.upper()} {self._here()};rport;branch=z9hG4bK{uuid.uuid4().hex}"
        if method == "INVITE":
            self.invite = via
        self._send(method, callee, via, body, (*(f"Route: {route}" for route in self.routes), *extra))

    def follow(self, method: str, callee: str, to_tag: str = "") -> None:
        """Send CANCEL, or the ACK to a refusal: both belong to the INVITE's transaction (RFC 3261 s9.1, s17.1.1.3)."""
        self.to_tag, self.target = to_tag, ""
        self._send(method, callee, self.invite, "", ())

    def _send(self, method: str, callee: str, via: str, body: str, extra: tuple[str, ...]) -> None:
        lines = (
            f"{method} {self.target or f'sip:{callee}@{self.edge}'} SIP/2.0",
            via,
            f"From: <sip:{self.caller}@probe.example.com>;tag={self.call_id[:8]}",
            f"To: <sip:{callee}@{self.edge}>{self.to_tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}",
            f"Contact: {self.contact or f'<sip:{self.caller}@{self._here()};transport={self.transport}>'}",
            "Max-Forwards: 70",
            *extra,
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
        )
        self.wire.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _here(self) -> str:
        host, port = self.wire.getsockname()[:2]
        return at(host, port)

    def receive(self, patience_s: float = PATIENCE_S) -> Received | None:
        """Wait for the next message; None when the far end stays silent."""
        self.wire.settimeout(patience_s)
        try:
            raw = self.wire.recv(65_535) if self.transport == "udp" else self._from_stream()
        except TimeoutError:
            return None
        head, _, body = raw.decode().partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Received(start=start, headers=tuple((name, value.strip()) for name, _, value in pairs), body=body)

    def _from_stream(self) -> bytes:
        while True:
            head, end, rest = self.unread.partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^content-length: *(\d+)", head)
            if end and length and len(rest) >= (size := int(length[1])):
                self.unread = rest[size:]
                return head + end + rest[:size]
            self.unread += self.wire.recv(65_535)

    def join(self, response: Received) -> None:
        """Take the dialog's remote half from a response (RFC 3261 s12.1.2)."""
        self.to_tag = tag_of(response)
        self.routes = [route.strip() for value in response.all("Record-Route") for route in value.split(",")][::-1]
        if contact := re.search(r"<([^>]+)>", response.one("Contact")):
            self.target = contact[1]

    def answer(self, request: Received) -> None:
        names = {"Via", "From", "To", "Call-ID", "CSeq"}
        kept = (f"{name}: {value}" for name, value in request.headers if name in names)
        self.wire.sendall(("\r\n".join(("SIP/2.0 200 OK", *kept, "Content-Length: 0")) + "\r\n\r\n").encode())

    def offer(self) -> str:
        kind = "IP6" if ":" in self.host else "IP4"
        return (
            f"v=0\r\no=- 1 1 IN {kind} {self.host}\r\ns=-\r\nc=IN {kind} {self.host}\r\nt=0 0\r\n"
            f"m=audio {self.media.getsockname()[1]} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )

    def exchange_rtp(self, port: int) -> tuple[bytes, ...]:
        """Send a packet for each one heard, and give the payloads heard."""
        self.media.settimeout(PATIENCE_S)
        heard = []
        for number in range(PACKETS):
            header = bytes((0x80, 0)) + number.to_bytes(2) + (number * 160).to_bytes(4) + (1).to_bytes(4)
            self.media.sendto(header + FRAME, (self.host, port))
            heard.append(self.media.recv(2048)[12:])
        return tuple(heard)


def call(line: Line, callee: str, *, password: str = "", cancel: bool = False, extra: tuple[str, ...] = ()) -> Outcome:
    """Place one call and see it through to its final response; an answered call is left to the caller."""
    line.request("INVITE", callee, body=line.offer(), extra=extra)
    seen = Outcome()
    while (response := line.receive(PATIENCE_S if seen.provisional else SILENCE_S)) is not None:
        if "INVITE" not in response.one("CSeq"):
            if "PRACK" in response.one("CSeq"):
                seen = replace(seen, pracked=(*seen.pracked, response.status))
        elif response.status < 200:
            seen = replace(seen, provisional=(*seen.provisional, response.status))
            _heed(line, callee, response, cancel=cancel)
        elif response.status < 300:
            line.join(response)
            line.cseq = int(response.one("CSeq").split()[0])
            line.request("ACK", callee)
            return replace(seen, final=response)
        else:
            line.follow("ACK", callee, tag_of(response))
            if response.status not in {401, 407} or not password or seen.challenges:
                return replace(seen, final=response)
            seen = replace(seen, challenges=(response.status,))
            line.to_tag = ""
            proof = credentials(response, "INVITE", callee, password)
            line.request("INVITE", callee, body=line.offer(), extra=(*extra, proof))
    return seen


def _heed(line: Line, callee: str, provisional: Received, *, cancel: bool) -> None:
    """PRACK what was sent reliably (RFC 3262 s4); give up a call that rings."""
    if "100rel" in provisional.one("Require"):
        line.join(provisional)
        line.request("PRACK", callee, extra=(f"RAck: {provisional.one('RSeq')} {provisional.one('CSeq')}",))
    if cancel and provisional.status == 180:
        line.follow("CANCEL", callee)


def hold(line: Line, callee: str, seen: Outcome) -> Outcome:
    """Talk on an answered call, then end it with BYE."""
    assert seen.final is not None
    port = re.search(r"m=audio (\d+)", seen.final.body)
    assert port
    rtp = line.exchange_rtp(int(port[1]))
    line.cseq += PACKETS  # above any PRACK
    line.request("BYE", callee)
    gone = line.receive()
    return replace(seen, rtp=rtp, after_bye=gone.status if gone else None)


def await_bye(line: Line, seen: Outcome) -> Outcome:
    """Wait until the far end ends an answered call."""
    farewell = line.receive()
    if farewell is not None:
        line.answer(farewell)
    return replace(seen, farewell=farewell)


def unregister_all(line: Line, username: str, password: str) -> None:
    """Take out every contact of the account, whoever registered it (RFC 3261 s10.2.2)."""
    line.contact = "*"
    assert [401, 200] == register(line, username, password, expires=0)
    line.contact = ""


def register(line: Line, username: str, password: str, *, expires: int) -> list[int]:
    """Register, or unregister with 0; give the statuses seen."""
    extra = (f"Expires: {expires}",)
    line.request("REGISTER", username, extra=extra)
    challenge = line.receive()
    assert challenge is not None
    line.request("REGISTER", username, extra=(*extra, credentials(challenge, "REGISTER", username, password)))
    response = line.receive()
    assert response is not None
    return [challenge.status, response.status]


def credentials(challenge: Received, method: str, callee: str, password: str) -> str:
    """Answer a digest challenge with MD5 (RFC 2617 s3.2.2)."""
    asked, answered = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}[
        challenge.status
    ]
    values = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.one(asked)))
    uri = f"sip:{callee}@carrier.example.com"
    said = {"username": "probe-user", "realm": values["realm"], "nonce": values["nonce"], "uri": uri}
    said |= {"opaque": values["opaque"]} if "opaque" in values else {}
    middle, counted = values["nonce"], ""
    if "qop" in values:
        middle, counted = f"{values['nonce']}:00000001:c0ffee:auth", ', qop=auth, nc=00000001, cnonce="c0ffee"'
    secret = md5(f"probe-user:{values['realm']}:{password}")
    said["response"] = md5(f"{secret}:{middle}:{md5(f'{method}:{uri}')}")
    return f"{answered}: Digest " + ", ".join(f'{name}="{value}"' for name, value in said.items()) + counted


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def tag_of(response: Received) -> str:
    return ";" + response.one("To").partition(";")[2]


def at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
