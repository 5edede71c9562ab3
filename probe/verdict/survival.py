"""The 603+ that a far end is known to send and the response that came in; what the way between left of it, out.

Networks rewrite phrases, strip or cut the Reason, and remap the status (ATIS-1000099 is to cross them unchanged; 47 CFR
64.1200(k)(9)). Whoever owns both ends can see it part by part.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from probe.sip.reason import Reason
from probe.sip.response import Response, response_of
from probe.verdict.notice import find_analytics, read_notice

_DECLINE: Final = 603


class Fate(StrEnum):
    """What became of a part."""

    INTACT = "intact"
    CHANGED = "changed"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a 603+, as it was sent and as it came (None: not at all). `flaws` are those of its writing."""

    name: str
    sent: str
    came: str | None
    flaws: tuple[str, ...] = ()

    @property
    def fate(self) -> Fate:
        if self.came is None:
            return Fate.LOST
        return Fate.INTACT if self.came == self.sent and not self.flaws else Fate.CHANGED


def survival(phrase: str, reason: str, came: Response) -> tuple[Part, ...]:
    """Compare a `603 phrase` with this Reason to the response that came; a part that was not sent is left out."""
    sent = response_of(_DECLINE, phrase, (("Reason", reason),))
    before, after = find_analytics(sent), _counterpart(sent, came)
    parts = (_part(name, read(sent, before), read(came, after)) for name, read in _PARTS)
    damage = tuple(flaw for flaw in after.flaws if before is None or flaw not in before.flaws) if after else ()
    return tuple(_with_flaws(part, damage) for part in parts if part is not None)


def is_whole(parts: tuple[Part, ...]) -> bool:
    """Say whether everything came as it was sent."""
    return all(part.fate is Fate.INTACT for part in parts)


def _counterpart(sent: Response, came: Response) -> Reason | None:
    """Find the Reason that was ours: the one that speaks as analytics do, or at least names the same cause."""
    ours = find_analytics(sent)
    found = find_analytics(came)
    if found is not None or ours is None:
        return found
    return next((one for one in came.reasons if _cause(came, one) == _cause(sent, ours)), None)


def _part(name: str, sent: str | None, came: str | None) -> Part | None:
    return None if sent is None else Part(name=name, sent=sent, came=came)


def _with_flaws(part: Part, damage: tuple[str, ...]) -> Part:
    """Quotes that were lost or turned damage the text, even where it could still be read."""
    if part.name != _TEXT or part.came is None:
        return part
    return Part(name=part.name, sent=part.sent, came=part.came, flaws=damage)


def _status(response: Response, _: Reason | None) -> str | None:
    return None if response.status is None else str(response.status)


def _phrase(response: Response, _: Reason | None) -> str | None:
    return response.phrase or None


def _cause(_: Response, reason: Reason | None) -> str | None:
    return f"{reason.protocol.upper()} {reason.cause}" if reason and reason.cause is not None else None


def _text(_: Response, reason: Reason | None) -> str | None:
    return (reason.text or None) if reason else None


def _location(_: Response, reason: Reason | None) -> str | None:
    return reason.location if reason else None


def _id(response: Response, _: Reason | None) -> str | None:
    notice = read_notice(response)
    return notice.id if notice else None


_TEXT: Final = "text"
_PARTS: Final[tuple[tuple[str, Callable[[Response, Reason | None], str | None]], ...]] = (
    ("status", _status),
    ("phrase", _phrase),
    ("cause", _cause),
    (_TEXT, _text),
    ("location", _location),
    ("id", _id),
)
PARTS: Final = tuple(name for name, _ in _PARTS)
"""The names of the parts, in their order."""
