"""A trunk's host in, the address and transport to use out, by RFC 3263 (NAPTR, SRV, then A and AAAA).

One target is chosen, and no other is tried if it fails: a measurement says what it measured.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.nameserver import Do53Nameserver
from dns.rdatatype import RdataType

from probe.errors import TrunkError
from probe.scenario.notation import read_uri
from probe.trunk import Transport, Trunk

_LIFETIME_S = 5.0
_DNS_PORT = 53
_DEFAULT_PORT = {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061}
# RFC 3263 s4.1: the NAPTR services that SIP defines.
_SERVICES = {"SIP+D2U": Transport.UDP, "SIP+D2T": Transport.TCP, "SIPS+D2T": Transport.TLS}
_SRV_PREFIX = {Transport.UDP: "_sip._udp.", Transport.TCP: "_sip._tcp.", Transport.TLS: "_sips._tcp."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Where the next message goes. `by_srv` says that the address came from SRV, so the host's own name is not it."""

    host: str
    address: str
    port: int
    transport: Transport
    by_srv: bool = False

    @property
    def ipv6(self) -> bool:
        return ":" in self.address


async def next_hop(trunk: Trunk) -> Hop:
    """Find where the messages of a trunk go: its outbound proxy, if it has one (RFC 3261 s8.1.2)."""
    given = trunk.transport if trunk.transport_given else None
    if not trunk.outbound_proxy:
        return await resolve(trunk.host, trunk.port, given, trunk.nameservers)
    proxy = read_uri(trunk.outbound_proxy)
    return await resolve(proxy.host, proxy.port, proxy.transport or given, trunk.nameservers)


async def resolve(host: str, port: int | None, transport: Transport | None, nameservers: Sequence[str] = ()) -> Hop:
    """Find the next hop for a SIP host. `transport` None lets NAPTR decide. TrunkError if it does not resolve."""
    if _is_address(host) or port is not None:
        chosen = transport or Transport.UDP
        address = await _address(host, nameservers)
        return Hop(host=host, address=address, port=port or _DEFAULT_PORT[chosen], transport=chosen)
    resolver = _resolver(nameservers)
    chosen = transport or await _by_naptr(resolver, host)
    found = await _by_srv(resolver, host, chosen)
    if found is None:
        address = await _address(host, nameservers)
        return Hop(host=host, address=address, port=_DEFAULT_PORT[chosen], transport=chosen)
    target, target_port = found
    address = await _address(target, nameservers)
    return Hop(host=host, address=address, port=target_port, transport=chosen, by_srv=True)


def local_address(hop: Hop) -> str:
    """Say which of our addresses faces the hop. Nothing is sent: connecting a UDP socket only picks a route."""
    family = socket.AF_INET6 if hop.ipv6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((hop.address, hop.port))
        except OSError as error:
            raise TrunkError(f"There is no route to {hop.host} ({hop.address}): {error.strerror}.") from error
        return str(probe.getsockname()[0])


def media_address(local: str) -> str:
    """Say which of our addresses RTP is to use beside this one for SIP: IPv4, the library's wheel knows no other."""
    if ":" not in local:
        return local
    anywhere = Hop(host="IPv4", address="192.0.2.1", port=9, transport=Transport.UDP)
    return "127.0.0.1" if ipaddress.ip_address(local).is_loopback else local_address(anywhere)


def library_nameservers(given: Sequence[str]) -> tuple[str, ...]:
    """The nameservers that the SIP library itself may ask, given or the machine's: it knows IPv4 and port 53."""
    try:
        servers = given or [str(server) for server in dns.resolver.get_default_resolver().nameservers]
    except dns.exception.DNSException:
        servers = []
    known = tuple(host for host, port in map(_nameserver, servers) if port == _DNS_PORT and ":" not in host)
    if servers and not known:
        raise TrunkError("For TLS the SIP library asks DNS itself; give the trunk a nameserver with IPv4 on port 53.")
    return known


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _nameserver(text: str) -> tuple[str, int]:
    """Read `address`, `address:port` or `[address]:port`."""
    host, _, port = text.rpartition(":")
    if _is_address(text) or not host:
        return text, _DNS_PORT
    return host.strip("[]"), int(port)


def _resolver(nameservers: Sequence[str]) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = [Do53Nameserver(*_nameserver(text)) for text in nameservers]
    resolver.lifetime = _LIFETIME_S
    return resolver


async def _records(resolver: dns.asyncresolver.Resolver, name: str, kind: RdataType) -> list[Any]:
    """Look a name up. No such record is an empty list; an unreachable nameserver too: A and AAAA decide then."""
    try:
        return list(await resolver.resolve(name, kind))
    except (dns.exception.DNSException, OSError):
        return []


async def _by_naptr(resolver: dns.asyncresolver.Resolver, host: str) -> Transport:
    records = await _records(resolver, host, RdataType.NAPTR)
    ranked = sorted(records, key=lambda record: (record.order, record.preference))
    services = (record.service.decode("ascii", "replace").upper() for record in ranked)
    return next((_SERVICES[service] for service in services if service in _SERVICES), Transport.UDP)


async def _by_srv(resolver: dns.asyncresolver.Resolver, host: str, transport: Transport) -> tuple[str, int] | None:
    records = await _records(resolver, _SRV_PREFIX[transport] + host, RdataType.SRV)
    if not records:
        return None
    # RFC 2782 draws lots by weight; a measurement takes the same one each time.
    best = min(records, key=lambda record: (record.priority, -record.weight, str(record.target)))
    return str(best.target).rstrip("."), best.port


async def _address(host: str, nameservers: Sequence[str]) -> str:
    if _is_address(host):
        return host
    if nameservers:
        return await _address_from(_resolver(nameservers), host)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise _unresolved(host) from error
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


async def _address_from(resolver: dns.asyncresolver.Resolver, host: str) -> str:
    for kind in (RdataType.A, RdataType.AAAA):
        for record in await _records(resolver, host, kind):
            return str(record.address)
    raise _unresolved(host)


def _unresolved(host: str) -> TrunkError:
    return TrunkError(f"The trunk's host {host} does not resolve; check its spelling and the machine's DNS.")
