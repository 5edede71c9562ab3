"""Observations of calls in, the reputation of each caller ID out: pure."""

from probe.health.account import Account, Accounts, in_whole
from probe.health.evidence import BLOCKED, Evidence, evidence_of, wilson
from probe.health.observation import Contacts, Observation, observe
from probe.health.redress import Case
from probe.health.sequential import State
from probe.health.standing import Change, NoticeSeen, Signal, Standing
from probe.health.tally import Dimension, Tallies, Tally

__all__ = [
    "BLOCKED",
    "Account",
    "Accounts",
    "Case",
    "Change",
    "Contacts",
    "Dimension",
    "Evidence",
    "NoticeSeen",
    "Observation",
    "Signal",
    "Standing",
    "State",
    "Tallies",
    "Tally",
    "evidence_of",
    "in_whole",
    "observe",
    "wilson",
]
