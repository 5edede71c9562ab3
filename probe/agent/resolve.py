"""A trunk's host in, the address and transport to use out, by RFC 3263 (NAPTR, SRV, then A and AAAA).

One target is chosen, and no other is tried if it fails: a measurement says what it measured.
"""

import asyncio
import importlib
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from probe.errors import TrunkError
from probe.scenario.notation import read_uri
from probe.trunk import Transport, Trunk

_DEFAULT_PORT = {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061}


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
    records = _dns()
    chosen = transport or await records.transport_by_naptr(host, nameservers) or Transport.UDP
    found = await records.target_by_srv(host, chosen, nameservers)
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
    known: tuple[str, ...] | None = _dns().plain_nameservers(given)
    if known is None:
        raise TrunkError("For TLS the SIP library asks DNS itself; give the trunk a nameserver with IPv4 on port 53.")
    return known


def _dns() -> ModuleType:
    """DNS, loaded where a name has to be looked up: a trunk that is given by its address has no use for it."""
    return importlib.import_module("probe.agent.records")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _address(host: str, nameservers: Sequence[str]) -> str:
    if _is_address(host):
        return host
    if nameservers:
        found_there: str | None = await _dns().address_by_name(host, nameservers)
        if found_there is None:
            raise _unresolved(host)
        return found_there
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise _unresolved(host) from error
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def _unresolved(host: str) -> TrunkError:
    return TrunkError(f"The trunk's host {host} does not resolve; check its spelling and the machine's DNS.")
