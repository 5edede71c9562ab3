"""An exchange on loopback: one address for the agent, behind it a far end for each number that is dialled.

So many far ends meet one user agent, in one child process. A callee's far end is whoever listens on its port.
"""

import contextlib
import re
import select
import socket
from collections.abc import Mapping

from agent.far_end import Served

_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_DIALLED = re.compile(rb"[A-Z]+ sip:(\+[0-9]+)@")
_LONGEST = 65_535
_LOOK_S = 0.1


class Exchange(Served):
    """Gives each call to the far end of its callee. `heard` keeps what the agent sent, by callee."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, list[bytes]] = {}
        self._ports: dict[str, int] = {}
        self._front = _socket()
        self.port: int = self._front.getsockname()[1]
        self._lines: dict[bytes, _Line] = {}

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for one in (self._front, *(line.socket for line in self._lines.values())):
            one.close()

    def connect(self, numbers: Mapping[str, int]) -> None:
        """Give each number its far end."""
        self.heard |= {number: [] for number in numbers}
        self._ports |= numbers

    def _serve(self) -> None:
        while self._open:
            lines = {line.socket: line for line in self._lines.values()}
            for ready in select.select([self._front, *lines], [], [], _LOOK_S)[0]:
                with contextlib.suppress(ConnectionError):
                    raw, peer = ready.recvfrom(_LONGEST)
                    if ready is self._front:
                        self._from_agent(raw, peer)
                    else:
                        self._on_line(lines[ready], raw, peer)

    def _from_agent(self, raw: bytes, agent: tuple[str, int]) -> None:
        found = _CALL_ID.search(raw)
        if found is None:
            return
        line = self._lines.get(found[1])
        if line is None:
            dialled = _DIALLED.match(raw)
            if dialled is None:
                return
            line = self._lines[found[1]] = _Line(dialled[1].decode(), agent)
        self._on_line(line, raw, agent)

    def _on_line(self, line: "_Line", raw: bytes, peer: tuple[str, int]) -> None:
        far = ("127.0.0.1", self._ports[line.callee])
        if peer == far:
            self._front.sendto(raw, line.agent)
        else:
            self.heard[line.callee].append(raw)
            line.socket.sendto(raw, far)


class _Line:
    def __init__(self, callee: str, agent: tuple[str, int]) -> None:
        self.callee, self.agent, self.socket = callee, agent, _socket()


def _socket() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    return one
