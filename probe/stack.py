"""What a SIP stack is told (`Setup`, `Account`) and what it reports (`Happening`): plain values, no library.

Parent and child processes, the agent and the simulator speak of the stack in these words.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from probe.trunk import Srtp, Transport


class Phase(StrEnum):
    """What became of a call, seen from the stack."""

    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One message as it went over a transport. `at` is time.monotonic() in seconds.

    `cut`: only its head could be kept. `dropped`: the library could not take it and will never act on it.
    """

    call_id: str
    at: float
    sent: bool
    transport: str
    local: str
    remote: str
    raw: bytes
    cut: bool
    dropped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A call entered a phase. `trouble` holds the library's words where no message explains it.

    `encrypted`: its media went as SRTP.
    """

    call_id: str
    phase: Phase
    trouble: str | None = None
    codec: str | None = None
    rtp_sent: int = 0
    rtp_received: int = 0
    encrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An INVITE from outside; `raw` is the whole request."""

    call_id: str
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The registrar's word: `status` 200 is success; 0 with `trouble` means that nobody answered."""

    status: int
    phrase: str
    trouble: str | None = None


Happening = Wire | Change | Incoming | Registered


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates for TLS. `verify` checks the peer's certificate and name (RFC 5922)."""

    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who we are to the trunk. `proxies` are SIP URIs of the loose route to it.

    `contact` is the URI to state as our own where it is not that of the transport.
    """

    uri: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    realm: str = "*"
    registrar: str | None = None
    proxies: tuple[str, ...] = ()
    keep_alive_s: int = 15
    contact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the library can do in one process: calls at once, call starts a second, the largest message kept whole."""

    calls: int
    starts_per_second: float
    message_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Which library is installed: the one made by `make pjsua2` (`native`) or a ready one. `tls` names its OpenSSL.

    `srtp`: it can encrypt media.
    """

    native: bool
    version: str
    limits: Limits
    tls: str
    srtp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How to start the stack. `port` 0 takes a free one. Values of `secret_headers` are cut out of what is reported.

    `media_bind` is an IPv4 address: RTP goes over IPv4 even where SIP goes over IPv6. Unless it
    `takes_calls`, the stack refuses every request from outside that belongs to no call of its own.
    """

    transport: Transport = Transport.UDP
    ipv6: bool = False
    bind: str
    media_bind: str
    port: int = 0
    takes_calls: bool = False
    public_address: str = ""
    rtp_port: int = 4000
    user_agent: str = "probe"
    stun: str | None = None
    nameservers: tuple[str, ...] = ()
    tls: Tls = Tls()
    srtp: Srtp = Srtp.OFF
    secret_headers: tuple[str, ...] = ()
