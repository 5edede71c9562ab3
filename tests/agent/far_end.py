"""A script in, a far end out that says what no SIP stack would: bytes over UDP, TCP or TLS, on loopback.

A thread of its own answers, so that a test may wait for it without holding up the call.
"""

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

from probe.sip import Request, read_request

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
_ECHOED = ("Via", "From", "To", "Call-ID", "CSeq")
_LENGTH = re.compile(rb"^Content-Length[ \t]*:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)

Script = Callable[[Request], Iterable[bytes]]


class Hangs(Exception):  # noqa: N818 - no error: a script raises it to close the connection
    pass


def reply(request: Request, status_line: str, *headers: str, body: str = "") -> bytes:
    """A response with what every response repeats (RFC 3261 s8.2.6.2)."""
    echoed = [f"{name}: {value}" for name, value in request.headers if name in _ECHOED and name != "To"]
    to = request.header("To") or ""
    tagged = to if ";tag=" in to or status_line.startswith("100") else f"{to};tag=far"
    kind = ("Content-Type: application/sdp",) if body else ()
    lines = (f"SIP/2.0 {status_line}", *echoed, f"To: {tagged}", *headers, *kind, f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body]).encode("utf-8", "surrogateescape")


def answer(request: Request, port: int, media_port: int = 4, transport: str = "udp") -> bytes:
    """A 200 to an INVITE."""
    contact = f"Contact: <sip:far@127.0.0.1:{port};transport={transport}>"
    return reply(request, "200 OK", contact, body=SDP.format(port=media_port))


def bye(invite: Request, *headers: str, method: str = "BYE") -> bytes:
    """A request of the far end in the dialog of `invite`, which it has answered."""
    contact = (invite.header("Contact") or "").strip("<>").partition(">")[0]
    lines = (
        f"{method} {contact} SIP/2.0",
        "Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK-far-" + method,
        "Max-Forwards: 70",
        f"From: {invite.header('To')};tag=far",
        f"To: {invite.header('From')}",
        f"Call-ID: {invite.header('Call-ID')}",
        f"CSeq: 7 {method}",
        f"Contact: <{invite.uri}>",
        *headers,
        "Content-Length: 0",
    )
    return "\r\n".join([*lines, "", ""]).encode()


class Served:
    """What a thread of its own does while a block runs: `_serve`, as long as it is `_open`."""

    def __init__(self) -> None:
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join(5)

    def _serve(self) -> None:
        raise NotImplementedError


class FarEnd(Served):
    """Answers each request as `script` says. `heard` keeps every message; `silent` scripts answer nothing.

    `spoken` is the version of TLS of the last connection.
    """

    def __init__(
        self, script: Script, transport: str = "udp", *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self._script = script
        self._transport = transport
        self._tls = tls
        self.spoken: str | None = None
        self._closed = 0
        self._news = threading.Condition()
        self._socket = _listener(transport, host)
        self.port: int = self._socket.getsockname()[1]
        self._send: Callable[[bytes], object] = bytes
        self._streams: list[socket.socket] = []

    def __exit__(self, *_: object) -> None:
        self._open = False
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        super().__exit__()

    def say(self, message: bytes) -> None:
        """Send to whoever spoke last."""
        self._send(message)

    def requests(self, method: str) -> list[Request]:
        read = (read_request(raw) for raw in tuple(self.heard))
        return [request for request in read if request and request.method == method]

    def wait_for(self, method: str, seconds: float = 5, count: int = 1) -> Request:
        """The `count`th request of this method. Fails the test when none comes."""
        deadline = time.monotonic() + seconds
        with self._news:
            while len(self.requests(method)) < count:
                assert self._news.wait(max(0.0, deadline - time.monotonic())), f"no {method} within {seconds} s"
        return self.requests(method)[count - 1]

    def wait_until_closed(self, seconds: float = 5) -> None:
        """Wait for the end of the first connection."""
        with self._news:
            assert self._news.wait_for(lambda: self._closed, seconds), f"no connection closed within {seconds} s"

    def wait_for_text(self, start: bytes, seconds: float = 5) -> bytes:
        """The first message that starts so."""
        deadline = time.monotonic() + seconds
        with self._news:
            while not (found := [raw for raw in self.heard if raw.startswith(start)]):
                assert self._news.wait(max(0.0, deadline - time.monotonic())), f"no {start!r} within {seconds} s"
        return found[0]

    def _serve(self) -> None:
        while self._open:
            try:
                if self._transport == "udp":
                    self._datagram()
                else:
                    self._accept()
            except TimeoutError:
                continue
            except OSError:
                return

    def _datagram(self) -> None:
        raw, peer = self._socket.recvfrom(65_535)
        with contextlib.suppress(ConnectionError, Hangs):
            self._take(raw, lambda message: self._socket.sendto(message, peer))

    def _accept(self) -> None:
        stream, _ = self._socket.accept()
        stream.settimeout(10)
        self._streams.append(stream)
        threading.Thread(target=self._connection, args=(stream,), daemon=True).start()

    def _connection(self, stream: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(stream, server_side=True) if self._tls else stream as secured:
                self.spoken = secured.version() if isinstance(secured, ssl.SSLSocket) else None
                with secured.makefile("rb") as reader:
                    while raw := _read_message(reader):
                        self._take(raw, secured.sendall)
        except (OSError, ValueError, Hangs):  # it was closed, by either side
            return
        finally:
            with self._news:
                self._closed += 1
                self._news.notify_all()

    def _take(self, raw: bytes, send: Callable[[bytes], object]) -> None:
        self._send = send
        with self._news:
            self.heard.append(raw)
            self._news.notify_all()
        request = read_request(raw)
        for message in self._script(request) if request else ():
            send(message)


def _listener(transport: str, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
    listener.bind((host, 0))
    listener.settimeout(0.2)
    if transport != "udp":
        listener.listen()
    return listener


def _read_message(reader: Iterable[bytes]) -> bytes:
    head = b""
    for line in reader:
        head += line
        if line == b"\r\n" and head.strip():
            break
    found = _LENGTH.search(head)
    return head + (reader.read(int(found[1])) if found else b"")  # type: ignore[attr-defined] # a BufferedReader
