"""A trunk and a call request in, the INVITE to send out: pure, but for the call id, which comes in."""

import ssl
from dataclasses import dataclass
from urllib.parse import quote

from probe.agent.line import Dial
from probe.agent.resolve import Hop, library_nameservers, media_address
from probe.call import CallRequest, Security
from probe.scenario.notation import read_uri
from probe.stack import Account, Setup, Tls
from probe.trunk import IdentityHeader, Transport, Trunk

# RFC 3261 s25.1: what may stand as it is before the @ of a SIP URI, but for the signs that some take to end a number.
_USER_SIGNS = "+-_.!~*'()&=$,/"
# RFC 8688 s3.5: by this the caller's side says that it can read a 608.
_READS_608 = ("Feature-Caps", "*;+sip.608")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How calls of a trunk leave: the hop, our own address towards it, and the URI parts they share."""

    trunk: Trunk
    hop: Hop
    local: str


def invite(route: Route, request: CallRequest, call_id: str) -> Dial:
    """Address one call; the caller ID stands in the headers that the trunk asks for."""
    trunk = route.trunk
    domain = _bracketed(trunk.from_domain or trunk.host)
    caller = f"<sip:{_user(request.caller)}@{domain}>"
    own = f"<sip:{_user(trunk.username or 'anonymous')}@{domain}>"
    in_from = IdentityHeader.FROM in trunk.identity
    return Dial(
        call_id=call_id,
        target=f"<{target_uri(route, request.callee)}>",
        caller=caller if in_from else own,
        headers=(*_identity(trunk, caller), _READS_608, *((name, _in_a_line(value)) for name, value in trunk.headers)),
    )


def _user(text: str) -> str:
    """Write the part before the @ so that nothing in it is read as another part of a URI, or as a header."""
    return quote(text, safe=_USER_SIGNS)


def _in_a_line(value: str) -> str:
    """Write a header's value with blanks for line breaks: files have none, but a value may come from elsewhere."""
    return "".join(sign if sign.isprintable() else " " for sign in value)


def _identity(trunk: Trunk, caller: str) -> tuple[tuple[str, str], ...]:
    shapes = {
        IdentityHeader.ASSERTED: ("P-Asserted-Identity", caller),
        IdentityHeader.PREFERRED: ("P-Preferred-Identity", caller),
        IdentityHeader.REMOTE_PARTY: ("Remote-Party-ID", f"{caller};party=calling;screen=yes;privacy=off"),
    }
    return tuple(shapes[header] for header in trunk.identity if header in shapes)


def target_uri(route: Route, user: str | None) -> str:
    """The Request-URI for a user at the trunk (or for the trunk itself)."""
    trunk = route.trunk
    at = f"{_user(user)}@" if user else ""
    port = f":{trunk.port}" if trunk.port else ""
    transport = trunk.transport if trunk.transport_given else route.hop.transport
    return f"sip:{at}{_bracketed(trunk.host)}{port}{_named(transport)}"


def _named(transport: Transport) -> str:
    return "" if transport is Transport.UDP else f";transport={transport}"


def setup(route: Route, rtp_port: int, user_agent: str) -> Setup:
    """How a child starts its stack for this trunk."""
    trunk = route.trunk
    return Setup(
        transport=route.hop.transport,
        ipv6=route.hop.ipv6,
        bind=trunk.bind or route.local,
        media_bind=media_address(trunk.bind or route.local),
        public_address=trunk.public_address or "",
        rtp_port=rtp_port,
        user_agent=user_agent,
        stun=trunk.stun,
        nameservers=_nameservers(route),
        tls=Tls(
            verify=trunk.tls_verify,
            ca_file=trunk.tls_ca_file or ssl.get_default_verify_paths().cafile,
            cert_file=trunk.tls_cert_file,
            key_file=trunk.tls_key_file,
        ),
        srtp=trunk.srtp,
        secret_headers=trunk.secret_headers,
    )


def security(route: Route) -> Security:
    """Say how the calls of a route are protected."""
    over_tls = route.hop.transport is Transport.TLS
    return Security(tls_verify=route.trunk.tls_verify if over_tls else None, srtp=route.trunk.srtp)


def account(route: Route) -> Account:
    """Who we are to this trunk."""
    trunk = route.trunk
    user = _user(trunk.username or "anonymous")
    return Account(
        uri=f"<sip:{user}@{_bracketed(trunk.from_domain or trunk.host)}>",
        username=trunk.auth_username or trunk.username,
        password=trunk.password,
        realm=trunk.realm,
        registrar=target_uri(route, None) if trunk.register else None,
        proxies=_proxies(route),
        keep_alive_s=trunk.keep_alive_s,
    )


def _nameservers(route: Route) -> tuple[str, ...]:
    """For TLS found by SRV the library must look the name up itself.

    The certificate is checked against the trunk's own domain (RFC 5922 s4), and the library takes that name from
    the host it was told to reach; an address in its place would fail the check.
    """
    if route.hop.transport is Transport.TLS and (route.hop.by_srv or route.trunk.nameservers):
        return library_nameservers(route.trunk.nameservers)
    return ()


def _proxies(route: Route) -> tuple[str, ...]:
    """The loose route: a hop found by our own look-up is hidden, so the message is as if the library had found it."""
    hop = route.hop
    proxies = []
    if hop.transport is not Transport.TLS and hop.address != hop.host:
        proxies.append(f"<sip:{_bracketed(hop.address)}:{hop.port};transport={hop.transport};lr;hide>")
    if route.trunk.outbound_proxy:
        proxy = read_uri(route.trunk.outbound_proxy)
        port = f":{proxy.port}" if proxy.port else ""
        proxies.append(f"<sip:{_bracketed(proxy.host)}{port}{_named(hop.transport)};lr>")
    return tuple(proxies)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
