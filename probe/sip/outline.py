"""The messages of a call in; what is left of them without all that only tells calls apart, out.

Millions of calls are made of the same few exchanges. Those with the same outline are read alike, so that one of them
can be read for all.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from probe.sip.conversation import Timing, read_cseq, tag_of

# Of these it is only asked which of a call's are the same.
_COMPARED: Final[dict[bytes, tuple[str, Callable[[str], str | None]]]] = {
    b"call-id": ("call-id", str.strip),
    b"i": ("call-id", str.strip),
    b"to": ("tag", tag_of),
    b"t": ("tag", tag_of),
    b"rseq": ("rseq", str.strip),
}
_CSEQ: Final = b"cseq"
# The fields that are not kept as they are: names, addresses and numbers from which nothing is read, and those that are
# compared, with their values (RFC 3261 s20; the compact forms: s7.3.3).
_NOT_KEPT: Final = re.compile(
    rb"\r\n(?:(?:via|v|from|f|contact|m|record-route|route|max-forwards|date)[ \t]*:[^\r]*"
    rb"|(call-id|i|to|t|rseq|cseq)[ \t]*:([^\r]*))",
    re.IGNORECASE,
)
_SDP: Final = b"application/sdp"
_NO_BODY: Final = (0, False, False)

Outline = tuple[Hashable, ...]
Said = tuple[bytes, bool, bool]
"""What decides of a message: as it is on the wire, whether we sent it, whether it is cut."""


def outline_of(said: Sequence[Said], places: Sequence[int]) -> Outline | None:
    """Give the outline of a call; None if it has no messages, or one that is written in an unusual way.

    Two calls of one outline differ in nothing that is read, but in their names and times. `places` says at which of the
    call's moments each message came (`moments_of`).
    """
    marks = _Marks()
    outline = [_of_message(*one, place, marks) for one, place in zip(said, places, strict=True)]
    return tuple(outline) if outline and None not in outline else None


def moments_of(times: Sequence[float]) -> tuple[list[float], list[int]]:
    """Give the moments of a call in their order, in ms, and at which of them each message came."""
    moments = sorted(set(times))
    return moments, [bisect_left(moments, at_ms) for at_ms in times]


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
        """Of a value that is not there, and of one that is empty, that is said."""
        if name == _CSEQ:
            return self._of_cseq(value)
        what, part = _COMPARED[name]
        found = part(value)
        if not found:
            return what, None if found is None else -1
        return what, self._known.setdefault((what, found), len(self._known))

    def _of_cseq(self, value: str) -> tuple[int | None, str]:
        """Of numbers it counts which is higher, so all are counted from the first."""
        number, method = read_cseq(value)
        if number is None:
            return None, method
        if self._first is None:
            self._first = number
        return number - self._first, method


def _of_message(raw: bytes, sent: bool, cut: bool, place: int, marks: _Marks) -> Outline | None:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *split = _NOT_KEPT.split(head)
    start, *more = first.partition(b"\r\n")
    kept = b"".join([*more, *split[2::3]])
    if not start or not _is_usual(head, kept):
        return None
    fields = zip(split[::3], split[1::3], strict=True)
    compared = [marks.of_field(name.lower(), value.decode()) for name, value in fields if name]
    return place, sent, cut, _of_start(start), kept, _of_body(body), *compared


def _is_usual(head: bytes, kept: bytes) -> bool:
    """Say whether a head is ASCII, and each of its lines ends as it should and is a field of its own.

    A line that goes on with the one before it is among those that are kept, for it begins with no name.
    """
    line_ends = head.count(b"\r\n")
    return (
        head.isascii()
        and head.count(b"\r") == line_ends == head.count(b"\n")
        and b"\n " not in kept
        and b"\n\t" not in kept
    )


def _of_start(start: bytes) -> tuple[bytes, ...]:
    """Leave the Request-URI out: it names the callee."""
    method, _, rest = start.partition(b" ")
    uri, _, version = rest.partition(b" ")
    return (method, version) if version == b"SIP/2.0" and method.isalpha() and [uri] == uri.split() else (start,)


def _of_body(body: bytes) -> tuple[int, bool, bool]:
    """Of a body it is asked how long it is, whether anything is in it, and whether it brings a session description."""
    return (len(body), bool(body.strip()), _SDP in body.lower()) if body else _NO_BODY
