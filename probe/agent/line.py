"""What parent and child say to each other: one value a line, as JSON, in both directions.

JSON and no pickle: the child reads what strangers send, and the parent must not run what a child writes.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from probe.stack import Account, Change, Incoming, Registered, Setup, Tls, Wire
from probe.trunk import Srtp, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first order: start the stack."""

    setup: Setup
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Send one INVITE. `target` and `caller` are URIs. A header may hold a secret, so none is printed."""

    call_id: str
    target: str
    caller: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End a call: CANCEL or BYE, as its state asks."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Send OPTIONS to `target`."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Say that you are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The child is there, and takes orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The stack runs. `calls` is how many it holds at once, `starts_per_second` how fast it may be dialled."""

    calls: int
    starts_per_second: float
    local: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An order could not be carried out; `call_id` is None when it was the start."""

    call_id: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """The child has done what a HangUp asks. It may have sent nothing; but it lives."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deserted:
    """The child has heard nothing of its parent for so long that it hung up by itself."""

    call_id: str


Order = Start | Dial | HangUp | Options | Ping
Report = Ready | Pong | Failed | Obeyed | Deserted | Wire | Change | Registered | Incoming

_ORDERS = (Start, Dial, HangUp, Options, Ping)
_REPORTS = (Ready, Pong, Failed, Obeyed, Deserted, Wire, Change, Registered, Incoming)
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (*_ORDERS, *_REPORTS)}
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in _KINDS.values()}
_BYTES = {
    kind: tuple(field.name for field in fields(kind) if field.type in {bytes, "bytes"}) for kind in _KINDS.values()
}
_write = json.JSONEncoder(separators=(",", ":")).encode


def encode(value: Order | Report) -> bytes:
    """Write one value as a line. Bytes travel as the text of the same code points (ISO 8859-1)."""
    kind = type(value)
    if kind is Start:
        content = asdict(value)
    else:
        content = {name: getattr(value, name) for name in _FIELDS[kind]}
        for name in _BYTES[kind]:
            content[name] = content[name].decode("latin-1")
    return _write([kind.__name__, content]).encode() + b"\n"


def decode(line: bytes) -> Any:  # noqa: ANN401 - one of Order or Report; the reader knows which
    """Read one value back."""
    name, content = json.loads(line)
    kind = _KINDS[name]
    if kind is Start:
        return _decode_start(content)
    for each in _BYTES[kind]:
        content[each] = content[each].encode("latin-1")
    if kind is Dial:
        content["headers"] = tuple(tuple(pair) for pair in content["headers"])
    return kind(**content)


def _decode_start(content: dict[str, Any]) -> Start:
    setup = content["setup"]
    setup["tls"] = Tls(**setup["tls"])
    setup["transport"] = Transport(setup["transport"])
    setup["srtp"] = Srtp(setup["srtp"])
    for name in ("nameservers", "secret_headers"):
        setup[name] = tuple(setup[name])
    content["account"]["proxies"] = tuple(content["account"]["proxies"])
    return Start(setup=Setup(**setup), account=Account(**content["account"]))
