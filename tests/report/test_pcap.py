import ipaddress
import shutil
import struct
import subprocess
from dataclasses import replace

import pytest
from placed import BLOCKED, LOCAL, REMOTE, START, answered, refused

from probe.call import CallRecord, Direction, Message
from probe.report.pcap import write_pcap

V6_ENDS = ("[2001:db8::10]:5060", "[2001:db8::20]:5060")


def packets(raw):
    """Read a capture: time, sender, receiver, protocol and payload of each packet; asserts lengths and checksums."""
    assert (0xA1B2C3D4, 2, 4, 101) == struct.unpack("<IHHiIII", raw[:24])[:3] + struct.unpack("<I", raw[20:24])
    found, at = [], 24
    while at < len(raw):
        seconds, micros, kept, length = struct.unpack("<IIII", raw[at : at + 16])
        assert kept == length
        found.append((seconds * 1_000_000 + micros, *carried(raw[at + 16 : at + 16 + kept])))
        at += 16 + kept
    assert at == len(raw)
    return found


def carried(packet):
    if packet[0] >> 4 == 4:
        assert 0 == internet_sum(packet[:20])
        assert len(packet) == struct.unpack("!H", packet[2:4])[0]
        protocol, source, target, segment = packet[9], packet[12:16], packet[16:20], packet[20:]
    else:
        assert len(packet) - 40 == struct.unpack("!H", packet[4:6])[0]
        protocol, source, target, segment = packet[6], packet[8:24], packet[24:40], packet[40:]
    assert 0 == internet_sum(source + target + struct.pack("!IBBBB", len(segment), 0, 0, 0, protocol) + segment)
    ports = struct.unpack("!HH", segment[:4])
    ends = [f"{ipaddress.ip_address(ip)} {port}" for ip, port in zip((source, target), ports, strict=True)]
    return *ends, protocol, segment


def internet_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - total


def streams(found):
    """Put the bytes of each side of the TCP connections together by sequence number; asserts that none is missing."""
    sent, expected = {}, {}
    for _, source, target, _, segment in found:
        number, acknowledged = struct.unpack("!II", segment[4:12])
        flags, data = segment[13], segment[20:]
        side = (source, target)
        assert expected.get(side, 0) == number
        if flags & 0x10:
            assert expected[target, source] == acknowledged
        expected[side] = number + len(data) + (1 if flags & 0x02 else 0)
        sent[side] = sent.get(side, b"") + data
    return sent


def test_a_call_over_udp_is_one_packet_a_message():
    record = refused(*BLOCKED).record
    found = packets(write_pcap(record))
    here, there = "192.0.2.10 5060", "192.0.2.20 5060"
    assert [(here, there), (there, here), (there, here), (here, there)] == [packet[1:3] for packet in found]
    assert [message.raw for message in record.messages] == [packet[4][8:] for packet in found]


def test_packets_keep_their_times():
    start = int(START.timestamp() * 1_000_000)
    found = packets(write_pcap(refused(*BLOCKED).record))
    assert [0, 4_000, 412_000, 413_000] == [packet[0] - start for packet in found]


def test_ipv6_is_written_as_ipv6():
    found = packets(write_pcap(refused(*BLOCKED, ends=V6_ENDS).record))
    assert ("2001:db8::10 5060", "2001:db8::20 5060") == found[0][1:3]


@pytest.mark.parametrize("ends", [(LOCAL, REMOTE), V6_ENDS])
def test_tcp_is_one_connection_that_holds_every_byte(ends):
    record = answered(transport="tcp", ends=ends).record
    found = packets(write_pcap(record))
    assert [0x02, 0x12, 0x10] == [packet[4][13] for packet in found[:3]]
    ours = b"".join(message.raw for message in record.messages if message.direction is Direction.SENT)
    theirs = b"".join(message.raw for message in record.messages if message.direction is Direction.RECEIVED)
    assert [ours, theirs] == list(streams(found).values())


def test_a_long_message_over_tcp_is_cut_into_segments():
    record = refused("603 Decline", "X-Long: " + "x" * 5_000, transport="tcp").record
    found = packets(write_pcap(record))
    assert max(len(packet[4]) for packet in found) <= 1_420
    assert record.messages[2].raw in list(streams(found).values())[1]


def test_what_went_over_tls_stands_as_clear_text_on_5060():
    found = packets(write_pcap(refused(*BLOCKED, transport="tls", ends=("192.0.2.10:40000", "192.0.2.20:5061")).record))
    assert {("192.0.2.10 40000", "192.0.2.20 5060"), ("192.0.2.20 5060", "192.0.2.10 40000")} == {
        packet[1:3] for packet in found
    }


def message(**given: object):
    defaults = {"at_ms": 0.0, "direction": Direction.SENT, "transport": "udp", "local": LOCAL, "remote": REMOTE}
    return Message(**{**defaults, "raw": b"OPTIONS sip:a SIP/2.0\r\n\r\n", **given})


def record_of(*messages: Message):
    record = refused(*BLOCKED).record
    return replace(record, messages=messages)


def test_a_call_without_messages_is_an_empty_capture():
    assert [] == packets(write_pcap(record_of()))


@pytest.mark.parametrize("address", ["", "sbc.example.com:5060", "192.0.2.1", "[::1", "x:99999999", "192.0.2.1:²"])
def test_an_address_that_cannot_be_read_does_not_spoil_the_file(address):
    assert 1 == len(packets(write_pcap(record_of(message(remote=address)))))


def test_ends_of_two_ip_versions_are_written_as_ipv6():
    found = packets(write_pcap(record_of(message(remote="[2001:db8::20]:5060"))))
    mapped = ipaddress.ip_address("::ffff:192.0.2.10")
    assert (f"{mapped} 5060", "2001:db8::20 5060") == found[0][1:3]


@pytest.mark.parametrize("size", [0, 1, 2, 65_507])
def test_any_datagram_fits(size):
    assert b"x" * size == packets(write_pcap(record_of(message(raw=b"x" * size))))[0][4][8:]


def test_a_message_longer_than_a_datagram_is_cut_to_one():
    assert 65_515 == len(packets(write_pcap(record_of(message(raw=b"x" * 70_000))))[0][4])


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark (Debian: tshark)")
@pytest.mark.parametrize(
    ("transport", "ends"),
    [
        ("udp", (LOCAL, REMOTE)),
        ("udp", V6_ENDS),
        ("udp", ("192.0.2.10:41000", "192.0.2.20:15060")),
        ("tcp", (LOCAL, REMOTE)),
        ("tcp", V6_ENDS),
        ("tcp", ("192.0.2.10:41000", "192.0.2.20:15060")),
        ("tls", ("192.0.2.10:41000", "192.0.2.20:5061")),
        ("tls", ("[2001:db8::10]:41000", "[2001:db8::20]:5061")),
    ],
)
def test_tshark_reads_it_as_sip(tmp_path, transport, ends):
    capture = tmp_path / "call.pcap"
    long = "X-Long: " + "x" * 3_000
    record: CallRecord = refused(*BLOCKED, long, transport=transport, ends=ends).record
    capture.write_bytes(write_pcap(record))
    fields = ["sip.Method", "sip.Status-Code", "sip.Call-ID"]
    checks = ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"]
    command = ["tshark", "-n", "-r", capture, "-Y", "sip", "-T", "fields"]
    command += [piece for field in fields for piece in ("-e", field)]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [tuple(line.split("\t")) for line in read.splitlines()]
    call_id = "c1@probe.example.net"
    assert [("INVITE", "", call_id), ("", "100", call_id), ("", "603", call_id), ("ACK", "", call_id)] == rows
    strict = [piece for check in checks for piece in ("-o", f"{check}:TRUE")]
    wrong = ["tshark", "-n", "-r", capture, *strict, "-Y", "_ws.expert.severity >= 6291456 || _ws.malformed"]
    assert "" == subprocess.run(wrong, capture_output=True, text=True, check=True, timeout=60).stdout
