"""A disposition in, what it says of the caller ID out; counts in, a share with its interval out."""

from enum import StrEnum
from math import sqrt
from statistics import NormalDist
from typing import Final

from probe.verdict import Disposition


class Evidence(StrEnum):
    """What one call says of its caller ID."""

    BLOCKED = "blocked"  # refused because of who calls
    THROUGH = "through"  # it reached the called party
    SUSPECTED = "suspected"  # damaged signs of a block
    AMBIGUOUS = "ambiguous"  # a person, a machine or the route: only a control call can tell
    NONE = "none"  # about the called number, the trunk or ourselves


_EVIDENCE: Final = {
    Disposition.ANALYTICS_BLOCKED: Evidence.BLOCKED,
    Disposition.SUBSCRIBER_BLOCKED: Evidence.BLOCKED,
    Disposition.PROVIDER_BLOCKED: Evidence.BLOCKED,
    Disposition.ANALYTICS_SUSPECTED: Evidence.SUSPECTED,
    Disposition.REJECTED_AMBIGUOUS: Evidence.AMBIGUOUS,
    Disposition.UNREACHABLE: Evidence.AMBIGUOUS,
    Disposition.ANSWERED: Evidence.THROUGH,
    Disposition.NO_ANSWER: Evidence.THROUGH,
    Disposition.USER_BUSY: Evidence.THROUGH,
    Disposition.USER_DECLINED: Evidence.THROUGH,
}

BLOCKED: Final = frozenset(name for name, evidence in _EVIDENCE.items() if evidence is Evidence.BLOCKED)
"""The dispositions that say blocked."""

_OPEN: Final = frozenset({Evidence.SUSPECTED, Evidence.AMBIGUOUS})
_Z95: Final = NormalDist().inv_cdf(0.975)


def evidence_of(disposition: Disposition) -> Evidence:
    """Say what a disposition tells of the caller ID; what is not in the table tells nothing."""
    return _EVIDENCE.get(disposition, Evidence.NONE)


def settled(refused: Disposition, control: Disposition) -> Evidence:
    """Say what a refused call tells once a control call to the same destination has ended.

    Where the control got through, the refusal was about who called. Where both were refused, it was about the
    destination or the route, and says nothing of the caller ID. Only what was open can be settled.
    """
    evidence = evidence_of(refused)
    if evidence not in _OPEN:
        return evidence
    heard = evidence_of(control)
    if heard is Evidence.THROUGH:
        return Evidence.BLOCKED
    return evidence if heard is Evidence.NONE else Evidence.NONE


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Give the Wilson score interval of `hits` in `total` (over 0) at 95 %.

    Source: Wilson 1927. Unlike the textbook interval it stays within 0 and 1 and is honest for a handful of calls.
    """
    share, square = hits / total, _Z95**2
    centre = share + square / (2 * total)
    reach = _Z95 * sqrt(share * (1 - share) / total + square / (4 * total**2))
    low, high = (centre - reach) / (1 + square / total), (centre + reach) / (1 + square / total)
    # Rounding must not put an end on the wrong side of the share, nor outside of 0 and 1.
    return max(0.0, min(share, low)), min(1.0, max(share, high))
