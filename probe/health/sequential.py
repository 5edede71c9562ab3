"""Block or no block, call by call in; the state of a caller ID, and since when, out.

Wald's sequential probability ratio test (Wald 1945, "Sequential Tests of Statistical Hypotheses") of a share of
1 % blocks, which happens to clean numbers too, against a share of 50 %. Each call adds the logarithm of how much
likelier it is under the second. The sum is tested against two bounds, so a decision falls as soon as the calls allow:

- `blocked` at ln((1 - beta) / alpha), where a clean number is called blocked with alpha = 1 in 10,000;
- `clean` at ln(beta / (1 - alpha)), where a blocked number is called clean with beta = 1 in 100.

That is three blocks in a row, or seven calls through in a row. A decision stands until the test, begun anew, says
otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import log
from typing import Final

_STRAY: Final = 0.01
_BLOCKED_SHARE: Final = 0.5
_ALPHA: Final = 1e-4
_BETA: Final = 1e-2

_IF_BLOCKED: Final = log(_BLOCKED_SHARE / _STRAY)
_IF_THROUGH: Final = log((1 - _BLOCKED_SHARE) / (1 - _STRAY))
_UPPER: Final = log((1 - _BETA) / _ALPHA)
_LOWER: Final = log(_BETA / (1 - _ALPHA))


class State(StrEnum):
    """What is thought of a caller ID."""

    CLEAN = "clean"
    SUSPECT = "suspect"
    BLOCKED = "blocked"
    RECOVERING = "recovering"
    UNKNOWN = "unknown"  # too little evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call as evidence: blocked, through, or (None) suspected, which the test does not weigh."""

    at: datetime
    blocked: bool | None


@dataclass(slots=True)
class _Run:
    """One test under way: its sum, and where the latest rise and the latest fall of the sum began."""

    total: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    rise: datetime | None = None
    fall: datetime | None = None

    def add(self, at: datetime, *, blocked: bool) -> None:
        if self.total <= self.lowest:
            self.lowest, self.rise = self.total, at
        if self.total >= self.highest:
            self.highest, self.fall = self.total, at
        self.total += _IF_BLOCKED if blocked else _IF_THROUGH

    def decision(self) -> tuple[State, datetime | None] | None:
        if self.total >= _UPPER:
            return State.BLOCKED, self.rise
        if self.total <= _LOWER:
            return State.CLEAN, self.fall
        return None


def state_of(steps: Iterable[Step]) -> tuple[State, datetime | None]:
    """Say what the calls, in order of time, make of a caller ID, and since which call; None with `unknown`.

    Undecided, the state is `suspect` while the sum speaks for a block, or while a call was suspected and no later
    decision said `clean`. `since` is the call at which the evidence turned (Page 1954), not the one that settled it.
    """
    decided: tuple[State, datetime | None] = State.UNKNOWN, None
    run, doubt = _Run(), None
    for step in steps:
        if step.blocked is None:
            doubt = doubt or step.at
            continue
        run.add(step.at, blocked=step.blocked)
        decision = run.decision()
        if decision:
            decided = decision if decision[0] is not decided[0] else decided
            doubt = None if decided[0] is State.CLEAN else doubt
            run = _Run()
    rise = run.rise if run.total > 0 else None
    doubts = [at for at in (rise, doubt) if at]
    return (State.SUSPECT, min(doubts)) if doubts and decided[0] is not State.BLOCKED else decided
