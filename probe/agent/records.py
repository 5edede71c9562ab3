"""A SIP host in, what DNS says of it out (RFC 3263 s4): NAPTR, SRV and address records."""

from collections.abc import Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.nameserver import Do53Nameserver
from dns.rdatatype import RdataType

from probe.trunk import Transport

_LIFETIME_S = 5.0
_DNS_PORT = 53
# RFC 3263 s4.1: the NAPTR services that SIP defines.
_SERVICES = {"SIP+D2U": Transport.UDP, "SIP+D2T": Transport.TCP, "SIPS+D2T": Transport.TLS}
_SRV_PREFIX = {Transport.UDP: "_sip._udp.", Transport.TCP: "_sip._tcp.", Transport.TLS: "_sips._tcp."}


async def transport_by_naptr(host: str, nameservers: Sequence[str]) -> Transport | None:
    """Say which transport the host's NAPTR records prefer; None where there are none that SIP knows."""
    records = await _records(host, RdataType.NAPTR, nameservers)
    ranked = sorted(records, key=lambda record: (record.order, record.preference))
    services = (record.service.decode("ascii", "replace").upper() for record in ranked)
    return next((_SERVICES[service] for service in services if service in _SERVICES), None)


async def target_by_srv(host: str, transport: Transport, nameservers: Sequence[str]) -> tuple[str, int] | None:
    """Say which host and port the SRV records name first; None where there are none."""
    records = await _records(_SRV_PREFIX[transport] + host, RdataType.SRV, nameservers)
    if not records:
        return None
    # RFC 2782 draws lots by weight; a measurement takes the same one each time.
    best = min(records, key=lambda record: (record.priority, -record.weight, str(record.target)))
    return str(best.target).rstrip("."), best.port


async def address_by_name(host: str, nameservers: Sequence[str]) -> str | None:
    """Look an address up, IPv4 first; None where there is none."""
    for kind in (RdataType.A, RdataType.AAAA):
        for record in await _records(host, kind, nameservers):
            return str(record.address)
    return None


def plain_nameservers(given: Sequence[str]) -> tuple[str, ...] | None:
    """Those of the nameservers, given or the machine's, with IPv4 on port 53; None if there are others only."""
    try:
        servers = given or [str(server) for server in dns.resolver.get_default_resolver().nameservers]
    except dns.exception.DNSException:
        servers = []
    known = tuple(host for host, port in map(_nameserver, servers) if port == _DNS_PORT and ":" not in host)
    return None if servers and not known else known


async def _records(name: str, kind: RdataType, nameservers: Sequence[str]) -> list[Any]:
    """Look a name up. No such record is an empty list; an unreachable nameserver too: A and AAAA decide then."""
    try:
        return list(await _resolver(nameservers).resolve(name, kind))
    except (dns.exception.DNSException, OSError):
        return []


def _resolver(nameservers: Sequence[str]) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    if nameservers:
        resolver.nameservers = [Do53Nameserver(*_nameserver(text)) for text in nameservers]
    resolver.lifetime = _LIFETIME_S
    return resolver


def _nameserver(text: str) -> tuple[str, int]:
    """Read `address`, `address:port` or `[address]:port`."""
    host, _, port = text.rpartition(":")
    if not host or (text.count(":") > 1 and not text.startswith("[")):
        return text.strip("[]"), _DNS_PORT
    return host.strip("[]"), int(port)
