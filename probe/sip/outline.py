"""The messages of a call in; what is left of them without all that only tells calls apart, out.

Millions of calls are made of the same few exchanges. Those with the same outline are read alike, so that one of them
can be read for all.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Final

from probe.call import Direction, Message
from probe.sip.conversation import Timing, read_cseq, tag_of

_BLANKS: Final = b" \t\r"
# Names, addresses and numbers from which nothing is read (RFC 3261 s20; the compact forms: s7.3.3).
_UNREAD: Final = frozenset(
    [b"via", b"v", b"from", b"f", b"contact", b"m", b"record-route", b"route", b"max-forwards", b"date"]
)
# Of these it is only asked which of a call's are the same.
_COMPARED: Final[dict[bytes, tuple[str, Callable[[str], str | None]]]] = {
    b"call-id": ("call-id", str.strip),
    b"i": ("call-id", str.strip),
    b"to": ("tag", tag_of),
    b"t": ("tag", tag_of),
    b"rseq": ("rseq", str.strip),
}
_CSEQ: Final = b"cseq"
_SDP: Final = b"application/sdp"
_DROPPED: Final = b""
_NAMES: Final = 256
_NO_BODY: Final = (0, False, False)

Outline = tuple[Hashable, ...]


def outline_of(messages: Sequence[Message], places: Sequence[int]) -> Outline | None:
    """Give the outline of a call; None if it has no messages, or one that is written in an unusual way.

    Two calls of one outline differ in nothing that is read, but in their names and times. `places` says at which of the
    call's moments each message came (`moments_of`).
    """
    marks = _Marks()
    outline = [_of_message(message, place, marks) for message, place in zip(messages, places, strict=True)]
    return tuple(outline) if outline and None not in outline else None


def moments_of(messages: Sequence[Message]) -> tuple[list[float], list[int]]:
    """Give the moments of a call in their order, in ms, and at which of them each message came."""
    moments = sorted({one.at_ms for one in messages})
    places = {at_ms: place for place, at_ms in enumerate(moments)}
    return moments, [places[one.at_ms] for one in messages]


def in_ms(timing: Timing, moments: Sequence[float]) -> Timing:
    """Give the times of a call that was read with places for times."""
    answered, talked = timing.answered_ms, timing.talk_ms
    return Timing(
        alerting_ms=_at(timing.alerting_ms, moments),
        early_media_ms=_at(timing.early_media_ms, moments),
        final_ms=_at(timing.final_ms, moments),
        answered_ms=_at(answered, moments),
        talk_ms=_between(answered, talked, moments),
    )


def _at(place: float | None, moments: Sequence[float]) -> float | None:
    return None if place is None else moments[int(place)]


def _between(place: float | None, more: float | None, moments: Sequence[float]) -> float | None:
    return None if place is None or more is None else moments[int(place + more)] - moments[int(place)]


class _Marks:
    """Makes of each value that is compared the place at which it first came up in the call."""

    __slots__ = ("_first", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}
        self._first: int | None = None

    def of_field(self, name: bytes, value: str) -> Hashable:
        if name == _CSEQ:
            return self._of_cseq(value)
        what, part = _COMPARED[name]
        return what, self._of_value(what, part(value))

    def _of_value(self, what: str, value: str | None) -> int | None:
        """Of a value that is not there, and of one that is empty, that is said."""
        if not value:
            return None if value is None else -1
        return self._known.setdefault((what, value), len(self._known))

    def _of_cseq(self, value: str) -> tuple[int | None, str]:
        """Of numbers it counts which is higher, so all are counted from the first."""
        number, method = read_cseq(value)
        if number is None:
            return None, method
        if self._first is None:
            self._first = number
        return number - self._first, method


def _of_message(message: Message, place: int, marks: _Marks) -> Outline | None:
    head, _, body = message.raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not _is_usual(head, lines):
        return None
    start, *fields = lines
    outline: list[Hashable] = [
        place,
        message.direction is Direction.SENT,
        message.cut,
        _of_start(start),
        _of_body(body),
    ]
    for line in fields:
        name, colon, value = line.partition(b":")
        known = _known(name)
        if known is None or not colon:
            outline.append(line)
        elif known is not _DROPPED:
            outline.append(marks.of_field(known, value.decode()))
    return tuple(outline)


@lru_cache(maxsize=_NAMES)
def _known(name: bytes) -> bytes | None:
    """Give the name in lower case if what follows it is not kept as it is."""
    found = name.rstrip(_BLANKS).lower()
    if found in _UNREAD:
        return _DROPPED
    return found if found in _COMPARED or found == _CSEQ else None


def _is_usual(head: bytes, lines: Sequence[bytes]) -> bool:
    """Say whether a head is ASCII, and each of its lines ends as it should and is a field of its own."""
    joined = b"".join(lines)
    return (
        head.isascii()
        and b"\n " not in head
        and b"\n\t" not in head
        and b"\r" not in joined
        and b"\n" not in joined
        and lines[0] != b""
    )


def _of_start(start: bytes) -> tuple[bytes, ...]:
    """Leave the Request-URI out: it names the callee."""
    method, _, rest = start.partition(b" ")
    uri, _, version = rest.partition(b" ")
    return (method, version) if version == b"SIP/2.0" and method.isalpha() and [uri] == uri.split() else (start,)


def _of_body(body: bytes) -> tuple[int, bool, bool]:
    """Of a body it is asked how long it is, whether anything is in it, and whether it brings a session description."""
    return (len(body), bool(body.strip()), _SDP in body.lower()) if body else _NO_BODY
