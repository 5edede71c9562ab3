"""A capture on stdin, read by tshark, in; its SIP messages, byte for byte, with their times and addresses, out.

tshark takes apart what carried them: tunnels, VLANs, IP fragments, TCP segments. Its words are another program's, so
whatever does not look as it should is left out.
"""

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final, NamedTuple

from probe.importing.remark import Unreadable

LIMIT_S: Final = 1_800.0
_COMMAND: Final = (
    *("tshark", "-n", "-r", "-", "-Y", "sip && !icmp && !icmpv6"),  # an ICMP error quotes the packet that it is about
    *("-T", "ek", "-x", "-J", "frame ip ipv6 udp tcp"),
)
_LONGEST: Final = 1 << 24
_WORDS: Final = 300
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Carried(NamedTuple):
    """One SIP message of a capture; `packet` is the number of the packet that completed it. Ends are `host:port`."""

    packet: int
    at: datetime
    transport: str
    source: str
    target: str
    raw: bytes


def read_messages(limit_s: float = LIMIT_S) -> Iterator[Carried]:
    """Let tshark read the capture on our stdin. Raises Unreadable where it cannot, or takes too long."""
    with tempfile.TemporaryFile() as words, subprocess.Popen(_COMMAND, stdout=subprocess.PIPE, stderr=words) as tshark:
        assert tshark.stdout is not None
        timer = threading.Timer(limit_s, tshark.kill)
        timer.start()
        try:
            yield from _messages(tshark.stdout)
            failed = tshark.wait() != 0
            if not timer.is_alive():
                raise Unreadable(f"took tshark more than {limit_s:.0f} s; cut it into pieces with editcap.")
            if failed:
                raise Unreadable(f"is not a capture that tshark can read to its end ({_last_words(words)}).")
        finally:
            timer.cancel()
            tshark.kill()


def _last_words(words: IO[bytes]) -> str:
    words.seek(0)
    lines = words.read(1 << 16).decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it did not say why")[:_WORDS]


def _messages(output: IO[bytes]) -> Iterator[Carried]:
    while line := output.readline(_LONGEST):
        with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, RecursionError, OverflowError):
            yield from _carried(json.loads(line)["layers"])


def _carried(layers: dict[str, Any]) -> list[Carried]:
    ip = "ip" if "ip" in layers else "ipv6"
    carrier = "udp" if "udp" in layers else "tcp"
    source, target = (_one(layers[ip][f"{ip}_{ip}_{end}"]) for end in ("src", "dst"))
    source_port, target_port = (int(_one(layers[carrier][f"{carrier}_{carrier}_{end}port"])) for end in ("src", "dst"))
    seconds, _, fraction = _one(layers["frame"]["frame_frame_time_epoch"]).partition(".")
    at = _EPOCH + timedelta(seconds=int(seconds), microseconds=int(fraction[:6].ljust(6, "0")))
    packet = int(_one(layers["frame"]["frame_frame_number"]))
    found = layers["sip_raw"]
    return [
        Carried(packet, at, carrier, _socket(source, source_port), _socket(target, target_port), bytes.fromhex(raw))
        for raw in (found if isinstance(found, list) else [found])
    ]


def _one(value: Any) -> str:  # noqa: ANN401 (whatever tshark writes)
    """Of the addresses of a tunnel and of what goes through it, the inner one stands last."""
    return str(value[-1] if isinstance(value, list) else value)


def _socket(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
