"""Block or no block, call by call in; the state of a caller ID, and since when, out.

**The test** is a Bayesian filter over a share of blocks that may change at any call (Shiryaev 1963, "On Optimum Methods
in Quickest Detection Problems"; as a hidden Markov model: Rabiner 1989, section III). The share is held to be one of
three levels: strays, unsteady, blocked. A call changes the probability of each by Bayes' rule; before it, a small part
of each moves to the others, so that what was long ago is forgotten.

Why not another: a threshold on the share is slow after a long clean past, and flaps where the share lies near it. The
sequential probability ratio test (Wald 1945) decides once, between two shares that stay as they are. CUSUM (Page 1954)
finds a change, but a number that loses a tenth of its calls crosses its bound again and again. Here a level of its own
takes such a number up: it stays suspect.

**Hysteresis.** A state is entered at one bound and left at another: `blocked` at 97 %, and left below 5 %; `suspect`
when the probability that all is well falls below 15 %, and left when it has come back to 98 %. Beside that, calls are
counted. `blocked` takes three blocks that belong together, for among 10,000 calls with 1 % strays two are no wonder; a
new number, for which nothing speaks yet, has one of them on account (a head start, as Lucas and Crosier gave CUSUM in
1982). One stray block never makes a clean number suspect. `clean` takes eight calls through in a row, and eleven after
a block; `recovering` stands in between, from the eighth on.

**Error rates** (`make bench` prints the whole curve with its seeds: tests/bench/standing_curve.py):

- 1 % stray blocks: in 10,000 calls, 0.2 times `blocked` without a cause; 0.4 times for new numbers of 10 calls each.
- Half of the calls blocked: `blocked` within 5 calls with a probability of 0.62 for a new number and of 0.51 for a
  clean one (three blocks in five calls are enough). 90 % blocked: within 3 calls with 0.97 and 0.74.
- After a block, with 1 % strays: `clean` after 11 calls in the median; a new number, after the shortest block, 17.
- A steady 10 %: 3 changes of the state in 1,000 calls. 1 %: fewer than 1.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final


class State(StrEnum):
    """What is thought of a caller ID."""

    CLEAN = "clean"
    SUSPECT = "suspect"
    BLOCKED = "blocked"
    RECOVERING = "recovering"
    UNKNOWN = "unknown"  # too little evidence


# How many calls are blocked at each level: strays that happen to clean numbers too, an unsteady share, a block. A true
# share of about a third lies between the last two.
_STRAYS: Final = 0.01
_UNSTEADY: Final = 0.14
_BLOCKED: Final = 0.53
# What is held of a number of which nothing is known.
_PRIOR: Final = (0.895, 0.005, 0.1)
# How often a level changes to another, by call. Found by simulation, together with the bounds: more from strays to
# blocked finds a block sooner and cries wolf more often; more back makes a number clean sooner and flap more.
_STRAYS_TO_UNSTEADY: Final = 0.00001
_STRAYS_TO_BLOCKED: Final = 0.01
_UNSTEADY_TO_STRAYS: Final = 0.0002
_UNSTEADY_TO_BLOCKED: Final = 0.0005
_BLOCKED_TO_STRAYS: Final = 0.035
_BLOCKED_TO_UNSTEADY: Final = 0.0005
_STRAYS_STAY: Final = 1 - _STRAYS_TO_UNSTEADY - _STRAYS_TO_BLOCKED
_UNSTEADY_STAYS: Final = 1 - _UNSTEADY_TO_STRAYS - _UNSTEADY_TO_BLOCKED
_BLOCKED_STAYS: Final = 1 - _BLOCKED_TO_STRAYS - _BLOCKED_TO_UNSTEADY

_BLOCKED_AT: Final = 0.97
_BLOCKED_UNTIL: Final = 0.05
_CLEAN_AT: Final = 0.98
_SUSPECT_BELOW: Final = 0.15
_LEAST_BLOCKS: Final = 3
_HEAD_START: Final = 1
_LEAST_THROUGH: Final = 8
# Blocks no longer belong together once calls through have made the level "blocked" this improbable.
_APART_BELOW: Final = 0.04
# So many calls in a row have to get through before suspected calls are forgotten. They are more than a new number needs
# to be clean, or it would become unknown again.
_DOUBT_ENDS: Final = 12
_DOUBTED: Final = frozenset({State.UNKNOWN, State.CLEAN, State.RECOVERING})


class SequentialTest:
    """One test under way. Calls are added in the order in which they ended; moments are numbers that grow with time.

    Calls that were suspected of being blocked are kept apart from the filter: they make `suspect`, and never more.
    """

    __slots__ = (
        "_blocked", "_blocks", "_doubt", "_fall", "_found", "_found_since", "_rise", "_strays", "_through", "_unrest",
        "_unsteady", "since", "state",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.UNKNOWN
        self.since: int | None = None  # the call at which the evidence turned; None as long as the state is unknown
        self._strays, self._unsteady, self._blocked = _PRIOR
        self._found = State.UNKNOWN  # by the filter alone
        self._found_since: int | None = None
        self._blocks = _HEAD_START  # those that belong together
        self._rise: int | None = None  # the first of them
        self._unrest: int | None = None  # the first block since all was well
        self._through = 0  # calls since the last block
        self._fall: int | None = None  # the first of them
        self._doubt: _Doubt | None = None

    def add(self, at: int, *, blocked: bool) -> None:
        """Weigh one call that can speak."""
        self._weigh(blocked=blocked)
        if blocked:
            self._note_block(at)
        else:
            self._note_through(at)
        after = self._next()
        if after is not self._found:
            self._turn(after)
        if self._strays >= _CLEAN_AT:
            self._unrest = None
        if self._blocked < _APART_BELOW and not blocked:
            self._rise, self._blocks = None, 0
        if self._doubt and not blocked and self._doubt.is_over(at):
            calm, self._doubt = self._doubt.hush, None
            self._show(calm)

    def doubt(self, at: int) -> None:
        """Note a call that was suspected of being blocked; amid a block it says nothing new."""
        if self._found is not State.BLOCKED:
            self._doubt = self._doubt or _Doubt(at)
            self._doubt.note()
            self._show()

    def dismiss(self, at: int) -> None:
        """Take back that a call was suspected: now more is known of it."""
        if self._doubt and at >= self._doubt.since and self._doubt.dismiss():
            self._doubt = None
            self._show()

    def _weigh(self, *, blocked: bool) -> None:
        strays, unsteady, most = self._strays, self._unsteady, self._blocked
        after_strays = strays * _STRAYS_STAY + unsteady * _UNSTEADY_TO_STRAYS + most * _BLOCKED_TO_STRAYS
        after_unsteady = strays * _STRAYS_TO_UNSTEADY + unsteady * _UNSTEADY_STAYS + most * _BLOCKED_TO_UNSTEADY
        after_blocked = strays * _STRAYS_TO_BLOCKED + unsteady * _UNSTEADY_TO_BLOCKED + most * _BLOCKED_STAYS
        if blocked:
            after_strays *= _STRAYS
            after_unsteady *= _UNSTEADY
            after_blocked *= _BLOCKED
        else:
            after_strays *= 1 - _STRAYS
            after_unsteady *= 1 - _UNSTEADY
            after_blocked *= 1 - _BLOCKED
        total = after_strays + after_unsteady + after_blocked
        self._strays, self._unsteady, self._blocked = (
            after_strays / total,
            after_unsteady / total,
            after_blocked / total,
        )

    def _note_block(self, at: int) -> None:
        """Calls overlap: the first to begin need not be the first to end."""
        self._blocks += 1
        self._rise = at if self._rise is None else min(self._rise, at)
        self._unrest = at if self._unrest is None else min(self._unrest, at)
        self._through, self._fall = 0, None
        if self._doubt:
            self._doubt.quiet = 0

    def _note_through(self, at: int) -> None:
        self._through += 1
        if self._fall is None:
            self._fall = at

    def _next(self) -> State:
        """Give the state that follows; between the bounds it stays."""
        well = self._strays >= _CLEAN_AT and self._through >= _LEAST_THROUGH
        if self._found is State.BLOCKED:
            over = State.CLEAN if well else State.RECOVERING
            return over if self._blocked < _BLOCKED_UNTIL else State.BLOCKED
        if self._blocked >= _BLOCKED_AT and self._blocks >= _LEAST_BLOCKS:
            return State.BLOCKED
        if well:
            return State.CLEAN
        return State.SUSPECT if self._strays < _SUSPECT_BELOW and not self._through else self._found

    def _turn(self, after: State) -> None:
        if self._found is State.BLOCKED:
            self._rise, self._unrest, self._blocks = None, None, 0
        elif after is State.BLOCKED:
            self._doubt = None
        self._found = after
        self._found_since = {State.BLOCKED: self._rise, State.SUSPECT: self._unrest}.get(after, self._fall)
        self._show()

    def _show(self, calm: int | None = None) -> None:
        """Bring the filter and the doubt together; `calm` is the first call through after a doubt that is forgotten."""
        after = State.SUSPECT if self._doubt and self._found in _DOUBTED else self._found
        if after is self.state:
            return
        self.state, self.since = after, self._found_since
        if after is not self._found and self._doubt:
            self.since = self._doubt.since
        elif calm and self.since:
            self.since = max(calm, self.since)

    def dump(self) -> list[Any]:
        """Give all that the test has to remember, as plain JSON."""
        levels = (self._strays, self._unsteady, self._blocked)
        marks = (self._rise, self._unrest, self._through, self._fall, self._doubt.dump() if self._doubt else None)
        return [self.state.value, self.since, self._found.value, self._found_since, *levels, self._blocks, *marks]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> "SequentialTest":
        test = cls()
        state, test.since, found, test._found_since, *levels, test._blocks, rise, unrest, through, fall, doubt = dumped
        test.state, test._found = _STATES[state], _STATES[found]
        test._strays, test._unsteady, test._blocked = levels
        test._rise, test._unrest, test._through, test._fall = rise, unrest, through, fall
        test._doubt = _Doubt.load(doubt) if doubt else None
        return test


_STATES: Final = {state.value: state for state in State}


class _Doubt:
    """Suspected calls that are not forgotten: since when, how many, and how many calls in a row got through since."""

    __slots__ = ("calls", "hush", "quiet", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self.calls = self.quiet = 0
        self.hush: int | None = None  # the first of the calls that got through

    def note(self) -> None:
        self.calls += 1
        self.quiet = 0

    def is_over(self, at: int) -> bool:
        """Note a call that got through, and say whether it was the last that was needed."""
        if not self.quiet:
            self.hush = at
        self.quiet += 1
        return self.quiet >= _DOUBT_ENDS

    def dismiss(self) -> bool:
        """Take one suspected call back, and say whether none is left."""
        self.calls -= 1
        return not self.calls

    def dump(self) -> list[int | None]:
        return [self.since, self.calls, self.quiet, self.hush]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> "_Doubt":
        doubt = cls(dumped[0])
        doubt.calls, doubt.quiet, doubt.hush = dumped[1:]
        return doubt
