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
    NONE = "none"  # ambiguous, or about the route, the called number or ourselves


_EVIDENCE: Final = {
    Disposition.ANALYTICS_BLOCKED: Evidence.BLOCKED,
    Disposition.SUBSCRIBER_BLOCKED: Evidence.BLOCKED,
    Disposition.PROVIDER_BLOCKED: Evidence.BLOCKED,
    Disposition.ANALYTICS_SUSPECTED: Evidence.SUSPECTED,
    Disposition.ANSWERED: Evidence.THROUGH,
    Disposition.NO_ANSWER: Evidence.THROUGH,
    Disposition.USER_BUSY: Evidence.THROUGH,
    Disposition.USER_DECLINED: Evidence.THROUGH,
}

BLOCKED: Final = frozenset(name for name, evidence in _EVIDENCE.items() if evidence is Evidence.BLOCKED)
"""The dispositions that say blocked."""

_Z95: Final = NormalDist().inv_cdf(0.975)


def evidence_of(disposition: Disposition) -> Evidence:
    """Say what a disposition tells of the caller ID; what is not in the table tells nothing."""
    return _EVIDENCE.get(disposition, Evidence.NONE)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Give the Wilson score interval of `hits` in `total` (over 0) at 95 %.

    Source: Wilson 1927. Unlike the textbook interval it stays within 0 and 1 and is honest for a handful of calls.
    """
    share, square = hits / total, _Z95**2
    centre = share + square / (2 * total)
    reach = _Z95 * sqrt(share * (1 - share) / total + square / (4 * total**2))
    return max(0.0, (centre - reach) / (1 + square / total)), min(1.0, (centre + reach) / (1 + square / total))
