"""Observations in, one by one; what they add up to for one caller ID on one network, or as a whole, out.

An account is all that a standing needs, so that one call costs the same after five million as after five. It can be
made again from the observations at any time.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from probe.health.evidence import Evidence, evidence_of, settled, wilson
from probe.health.observation import Contacts, Observation
from probe.health.sequential import SequentialTest, State
from probe.health.standing import NoticeSeen, Signal, Standing
from probe.health.tally import ms_of, step_of
from probe.verdict import Disposition

_LAST_CALLS: Final = 20
_MOST_NOTICES: Final = 50  # a blocker that puts an id into its URL would fill the store otherwise
_DISPOSITIONS: Final = tuple(Disposition)
# Inside, moments are whole microseconds since 1970: an account is written and read far more often than shown.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_Key = tuple[str, str | None]


class Account:
    """The calls of one caller ID on one network, added up; `network` None is all of them."""

    __slots__ = (
        "_begun", "_blocked", "_calls", "_dispositions", "_ended", "_last_call", "_notices", "_started", "_suspected",
        "_test", "_through", "_times", "caller", "network",
    )  # fmt: skip

    def __init__(self, caller: str, network: str | None, started_at: datetime) -> None:
        self.caller, self.network = caller, network
        self._started = self._last_call = self._ended = _written(started_at)
        self._test = SequentialTest()
        self._dispositions: dict[str, int] = {}
        self._blocked = self._through = self._suspected = 0
        self._times: dict[int, int] = {}
        self._notices: dict[tuple[str | None, ...], _Folded] = {}
        # The last calls that could speak: their ids, and when each began.
        self._calls: deque[str] = deque(maxlen=_LAST_CALLS)
        self._begun: deque[int] = deque(maxlen=_LAST_CALLS)

    @property
    def state(self) -> State:
        return self._test.state

    @property
    def ended_at(self) -> datetime:
        """When the last of the calls ended, control calls among them."""
        return _read(self._ended)

    def add(self, call: Observation, at: int, ended: int, evidence: Evidence) -> None:
        """Add a call that has ended; its moments, as an account has them, are given with it."""
        disposition = call.disposition
        self._dispositions[disposition] = self._dispositions.get(disposition, 0) + 1
        self._last_call = max(self._last_call, at)
        self._ended = max(self._ended, ended)
        self._weigh(call, at, evidence)
        if call.contacts is not None:
            self._fold(call.contacts, at)

    def settle(self, refused: Observation, control: Observation) -> None:
        """Weigh a refused call again, now that its control call has ended."""
        before, after = evidence_of(refused.disposition), settled(refused.disposition, control.disposition)
        self._ended = max(self._ended, _written(control.ended_at))
        if after is before:
            return
        at = _written(refused.started_at)
        if before is Evidence.SUSPECTED:
            self._suspected -= 1
            self._test.dismiss(at)
            self._forget(refused.call_id)
        self._weigh(refused, at, after)

    def _weigh(self, call: Observation, at: int, evidence: Evidence) -> None:
        if evidence is Evidence.THROUGH:
            self._through += 1
            self._test.add(at, blocked=False)
        elif evidence is Evidence.BLOCKED:
            self._blocked += 1
            if call.final_ms is not None:
                step = step_of(call.final_ms)
                self._times[step] = self._times.get(step, 0) + 1
            self._test.add(at, blocked=True)
        elif evidence is Evidence.SUSPECTED:
            self._suspected += 1
            self._test.doubt(at)
        else:
            return
        self._calls.append(call.call_id)
        self._begun.append(at)

    def _forget(self, call_id: str) -> None:
        if call_id in self._calls:
            place = self._calls.index(call_id)
            del self._calls[place], self._begun[place]

    def _fold(self, said: Contacts, at: int) -> None:
        key = (said.url, said.tel, said.email, said.location)
        seen = self._notices.get(key)
        if seen is not None:
            seen.add(said.id, at)
            return
        if len(self._notices) >= _MOST_NOTICES:
            del self._notices[min(self._notices, key=lambda key: self._notices[key].last_seen)]
        self._notices[key] = _Folded(key, said.id, at, at, 1)

    def standing(self, signals: Sequence[Signal] = ()) -> Standing:
        """Say what the calls add up to."""
        test, counts = self._test, self._dispositions
        judged = self._blocked + self._through
        declined = counts.get(Disposition.USER_DECLINED, 0)
        return Standing(
            caller=self.caller,
            network=self.network,
            standing=test.state,
            since=_read(self._started if test.since is None else test.since),
            judged=judged,
            blocked=self._blocked,
            blocked_share=self._blocked / judged if judged else None,
            interval=wilson(self._blocked, judged) if judged else None,
            declined=declined,
            suspected=self._suspected,
            inconclusive=counts.get(Disposition.INCONCLUSIVE, 0),
            last_call_at=_read(self._last_call),
            notices=tuple([folded.notice() for folded in self._notices.values()]),
            signals=tuple(signals),
            declined_share=declined / judged if judged else None,
            refused_ms=_median(self._times),
            dispositions={name: counts[name] for name in _DISPOSITIONS if name in counts},
            calls=tuple(self._calls),
        )

    def calls_since(self, moment: datetime) -> tuple[str, ...]:
        """Give the last calls that could speak and that began then or later, in the order in which that was known."""
        since = _written(moment)
        return tuple([call_id for call_id, at in zip(self._calls, self._begun, strict=True) if at >= since])

    def dump(self) -> dict[str, Any]:
        """Give all that the account has to remember, as plain JSON."""
        return {
            "moments": [self._started, self._last_call, self._ended],
            "test": self._test.dump(),
            "dispositions": dict(self._dispositions),
            "counts": [self._blocked, self._through, self._suspected],
            "times": list(self._times.items()),
            "notices": [folded.dump() for folded in self._notices.values()],
            "calls": list(self._calls),
            "begun": list(self._begun),
        }

    @classmethod
    def load(cls, caller: str, network: str | None, dumped: Mapping[str, Any]) -> "Account":
        account = cls(caller, network, _EPOCH)
        account._started, account._last_call, account._ended = dumped["moments"]
        account._test = SequentialTest.load(dumped["test"])
        account._dispositions = dict(dumped["dispositions"])
        account._blocked, account._through, account._suspected = dumped["counts"]
        account._times = dict(dumped["times"])
        account._notices = {folded.key: folded for folded in map(_Folded.load, dumped["notices"])}
        account._calls.extend(dumped["calls"])
        account._begun.extend(dumped["begun"])
        return account


class _Folded:
    """One notice, folded over the calls that carried it: what tells it from others, its last id, when, how often."""

    __slots__ = ("count", "first_seen", "id", "key", "last_seen")

    def __init__(self, key: tuple[str | None, ...], id_: str | None, first: int, last: int, count: int) -> None:
        self.key, self.id = key, id_
        self.first_seen, self.last_seen, self.count = first, last, count

    def add(self, id_: str | None, at: int) -> None:
        self.id = id_ or self.id
        self.first_seen, self.last_seen = min(self.first_seen, at), max(self.last_seen, at)
        self.count += 1

    def notice(self) -> NoticeSeen:
        url, tel, email, location = self.key
        return NoticeSeen(
            url=url,
            tel=tel,
            email=email,
            id=self.id,
            location=location,
            first_seen=_read(self.first_seen),
            last_seen=_read(self.last_seen),
            count=self.count,
        )

    def dump(self) -> list[Any]:
        return [self.key, self.id, self.first_seen, self.last_seen, self.count]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> "_Folded":
        key, *rest = dumped
        return cls(tuple(key), *rest)


class Accounts:
    """The accounts of any number of caller IDs, opened as calls come in."""

    def __init__(self, opened: Iterable[Account] = ()) -> None:
        self.opened: dict[_Key, Account] = {(one.caller, one.network): one for one in opened}

    def add(self, call: Observation) -> None:
        """Add a call to its caller ID on its network, and as a whole."""
        at, ended, evidence = _written(call.started_at), _written(call.ended_at), evidence_of(call.disposition)
        for account in self.of(call):
            account.add(call, at, ended, evidence)

    def settle(self, refused: Observation, control: Observation) -> None:
        """Weigh a refused call again, now that its control call has ended."""
        for account in self.of(refused):
            account.settle(refused, control)

    def of(self, call: Observation) -> list[Account]:
        """Give the accounts that a call belongs to."""
        networks = (call.network, None) if call.network else (None,)
        return [self._open(call.caller, network, call.started_at) for network in networks]

    def _open(self, caller: str, network: str | None, at: datetime) -> Account:
        found = self.opened.get((caller, network))
        if found is None:
            found = self.opened[caller, network] = Account(caller, network, at)
        return found

    def standings(self) -> tuple[Standing, ...]:
        """Give the standing of every caller ID: one for each network, then one as a whole."""
        return in_whole(account.standing() for account in self.opened.values())


_SEVERITY: Final = (State.UNKNOWN, State.CLEAN, State.RECOVERING, State.SUSPECT, State.BLOCKED)
# What has to hold on all networks holds since the last of them came to it; the rest, since the first of them did.
_ON_ALL: Final = frozenset({State.CLEAN, State.RECOVERING})


def in_whole(standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """Sort standings by caller ID and network; as a whole, each caller ID stands as on its worst network.

    Or as all its calls together say, if that is worse: a mean over carriers would hide a block on one of them. It is
    blocked since it was on the first of them, and clean since it is on the last.
    """
    ordered = sorted(standings, key=lambda one: (one.caller, one.network is None, one.network or ""))
    worst: dict[str, Standing] = {}
    for one in ordered:
        kept = worst.get(one.caller)
        if kept is None or _outweighs(one, kept):
            worst[one.caller] = one
    return tuple(
        replace(one, standing=worst[one.caller].standing, since=worst[one.caller].since) if one.network is None else one
        for one in ordered
    )


def _outweighs(one: Standing, other: Standing) -> bool:
    if one.standing is not other.standing:
        return _SEVERITY.index(one.standing) > _SEVERITY.index(other.standing)
    return one.since > other.since if one.standing in _ON_ALL else one.since < other.since


def _median(times: Mapping[int, int]) -> float | None:
    total, seen = sum(times.values()), 0
    for step in sorted(times):
        seen += times[step]
        if 2 * seen >= total:
            return ms_of(step)
    return None


def _written(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _read(written: int) -> datetime:
    return _EPOCH + timedelta(microseconds=written)
