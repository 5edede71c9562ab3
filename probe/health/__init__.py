"""Judged calls in, the reputation of each caller ID out: pure."""

from probe.health.evidence import BLOCKED, Evidence, evidence_of, wilson
from probe.health.sequential import State
from probe.health.standing import NoticeSeen, Signal, Standing, assess

__all__ = [
    "BLOCKED",
    "Evidence",
    "NoticeSeen",
    "Signal",
    "Standing",
    "State",
    "assess",
    "evidence_of",
    "wilson",
]
