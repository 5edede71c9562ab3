"""A trunk: where calls leave, and how the caller ID is carried."""

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Srtp(StrEnum):
    """Whether the media of a call is encrypted: SRTP (RFC 3711), its keys in the messages (SDES, RFC 4568)."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class IdentityHeader(StrEnum):
    """A header that carries the caller ID (RFC 3261 s8.1.1.3, RFC 3325; Remote-Party-ID is a draft still in use)."""

    FROM = "from"
    ASSERTED = "p-asserted-identity"
    PREFERRED = "p-preferred-identity"
    REMOTE_PARTY = "remote-party-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """One SIP trunk. `port` None means: look it up (RFC 3263). Nothing here is stored; the password is never printed.

    `from_domain` is the host part of the caller's URI (default: `host`). `outbound_proxy` is a SIP URI.
    `bind` is a local address, `public_address` the one to state to the far end, `stun` a `host:port`.
    `nameservers` are `address` or `address:port`; empty means those of the machine. `secret_headers` are those of
    `headers` whose values are secrets.
    """

    name: str
    host: str
    port: int | None = None
    transport: Transport = Transport.UDP
    transport_given: bool = False  # the URI names a transport, so NAPTR has nothing to decide
    username: str | None = None
    auth_username: str | None = None
    password: str | None = None
    realm: str = "*"
    register: bool = False
    outbound_proxy: str | None = None
    identity: tuple[IdentityHeader, ...] = (IdentityHeader.FROM, IdentityHeader.ASSERTED)
    from_domain: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    secret_headers: tuple[str, ...] = ()
    lines: int = 4
    calls_per_second: float = 1.0
    tls_verify: bool = True
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    srtp: Srtp = Srtp.OFF
    bind: str | None = None
    public_address: str | None = None
    stun: str | None = None
    keep_alive_s: int = 15
    nameservers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Trunk({self.name!r}, {self.host!r})"

    @property
    def uri(self) -> str:
        """The trunk's own URI, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"sip:{host}{port};transport={self.transport}"
