"""The messages of one call in, a capture file that tshark, Wireshark and sngrep read out.

Only the SIP text and its addresses and times were kept, so the packets round them are made anew: IP and UDP headers
with right checksums, and for TCP one connection for each pair of addresses, opened by a handshake. What went over TLS
is written as the clear text inside, over TCP; there port 5061 is written as 5060, for readers expect TLS on 5061.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from probe.call import CallRecord, Direction, Message

# Classic pcap, microseconds, LINKTYPE_RAW: a packet begins with its IPv4 or IPv6 header.
_FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101)
_TCP, _UDP = 6, 17
_SYN, _PUSH, _ACK = 0x02, 0x08, 0x10
_WINDOW: Final = 65535
_SEGMENT: Final = 1400
_UDP_MOST: Final = 65507  # what fits behind an IPv4 and a UDP header; a datagram was never longer
_TLS_PORT, _CLEAR_PORT = 5061, 5060
_UNKNOWN: Final = IPv4Address("192.0.2.1")  # an address that could not be read (RFC 5737)


IpAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Socket:
    ip: IpAddress
    port: int


@dataclass(slots=True)
class _Connection:
    """The next sequence number of each side of one TCP connection."""

    next_number: dict[_Socket, int] = field(default_factory=dict)


def write_pcap(record: CallRecord) -> bytes:
    """Write the messages of a call as a classic pcap file; a call without messages gives one without packets."""
    connections: dict[frozenset[_Socket], _Connection] = {}
    packets = []
    for message in sorted(record.messages, key=lambda message: message.at_ms):
        at = record.started_at + timedelta(milliseconds=message.at_ms)
        packets += [_packet(at, data) for data in _carried(message, connections)]
    return _FILE_HEADER + b"".join(packets)


def _packet(at: datetime, data: bytes) -> bytes:
    seconds, micros = divmod((at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1), 1_000_000)
    return struct.pack("<IIII", seconds, micros, len(data), len(data)) + data


def _carried(message: Message, connections: dict[frozenset[_Socket], _Connection]) -> Iterator[bytes]:
    source, target = _ends(message)
    if message.transport.lower() == "udp":
        yield _udp(source, target, message.raw[:_UDP_MOST])
        return
    pair = frozenset({source, target})
    if pair not in connections:
        connections[pair] = _Connection()
        yield from _handshake(source, target, connections[pair])
    for start in range(0, len(message.raw), _SEGMENT):
        yield _tcp(source, target, _PUSH | _ACK, message.raw[start : start + _SEGMENT], connections[pair])


def _ends(message: Message) -> tuple[_Socket, _Socket]:
    """Give sender and receiver, both of one IP version."""
    local, remote = (_socket(text, message.transport) for text in (message.local, message.remote))
    if local.ip.version != remote.ip.version:
        local, remote = _as_ipv6(local), _as_ipv6(remote)
    return (local, remote) if message.direction is Direction.SENT else (remote, local)


def _socket(text: str, transport: str) -> _Socket:
    host, _, digits = text.rpartition(":")
    try:
        ip = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        ip = _UNKNOWN
    port = int(digits) if digits.isascii() and digits.isdigit() else _CLEAR_PORT
    return _Socket(ip, _CLEAR_PORT if (transport.lower(), port) == ("tls", _TLS_PORT) else port & 0xFFFF)


def _as_ipv6(end: _Socket) -> _Socket:
    return _Socket(IPv6Address(f"::ffff:{end.ip}"), end.port) if isinstance(end.ip, IPv4Address) else end


def _handshake(source: _Socket, target: _Socket, connection: _Connection) -> Iterator[bytes]:
    connection.next_number = {source: 0, target: 0}
    yield _tcp(source, target, _SYN, b"", connection)
    yield _tcp(target, source, _SYN | _ACK, b"", connection)
    yield _tcp(source, target, _ACK, b"", connection)


def _tcp(source: _Socket, target: _Socket, flags: int, data: bytes, connection: _Connection) -> bytes:
    number = connection.next_number
    acknowledged = number[target] if flags & _ACK else 0
    head = struct.pack(
        "!HHIIBBHHH", source.port, target.port, number[source], acknowledged, 5 << 4, flags, _WINDOW, 0, 0
    )
    number[source] = (number[source] + len(data) + (1 if flags & _SYN else 0)) & 0xFFFFFFFF
    return _ip(source.ip, target.ip, _TCP, head + data, checksum_at=16)


def _udp(source: _Socket, target: _Socket, data: bytes) -> bytes:
    head = struct.pack("!HHHH", source.port, target.port, 8 + len(data), 0)
    return _ip(source.ip, target.ip, _UDP, head + data, checksum_at=6)


def _ip(source: IpAddress, target: IpAddress, protocol: int, segment: bytes, *, checksum_at: int) -> bytes:
    pseudo = source.packed + target.packed + struct.pack("!IHBB", len(segment), 0, 0, protocol)
    checksum = _checksum(pseudo + segment)
    if protocol == _UDP and not checksum:
        checksum = 0xFFFF  # zero would say that there is no checksum (RFC 768)
    segment = segment[:checksum_at] + struct.pack("!H", checksum) + segment[checksum_at + 2 :]
    if isinstance(source, IPv6Address):
        return struct.pack("!IHBB", 0x6000_0000, len(segment), protocol, 64) + source.packed + target.packed + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, protocol, 0)
    checksum = _checksum(head + source.packed + target.packed)
    return head[:10] + struct.pack("!H", checksum) + source.packed + target.packed + segment


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
