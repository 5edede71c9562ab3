"""A scenario, the past and the open rounds in; the calls that are due now, and those that will never be, out.

Nothing is remembered here: what a round has done stands in the store, and the rest follows from the round's id.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil

from probe.call import LOCAL, CallRequest
from probe.expectation import Expectation, is_met
from probe.scenario.fitting import Certainty, Pair, fit
from probe.scenario.guard import Allowed, Refusal, allowed_by, check, zones
from probe.scenario.history import Attempt, History
from probe.scenario.round import OpenRound
from probe.scenario.scenario import Caller, Destination, Scenario
from probe.scenario.spread import interleaved, slots, step_of

_FIRST, _RETEST, _CONTROL = 0, 1, 2
_NO_CERTAINTY: Certainty = {}
# Refusals that somebody may lift at any moment.
_LIFTED_BY_HAND = frozenset({"stop_file", "paused_trunk", "paused_number"})
# A refusal by one of these holds for every call of that number, and need not be looked for again in this tick.
_OF_CALLER = frozenset({"per_caller", "caller_malformed", "caller_barred", "caller_unlisted"})
_OF_TRUNK = frozenset(
    {"stop_file", "paused_trunk", "no_limits", "breaker_trunk", "breaker_blocks", "maintenance", "calls_per_day"}
    | {"minutes_per_day", "spend_per_day"}
)
_OF_PAIR = frozenset({"pair_refused", "paused_number"})
# A tick comes about a second after the last one, and no more is due in it than in twice so long.
_TICK = timedelta(seconds=1)
_CATCH_UP = 2 * _TICK
# More of them in one tick would keep the calls waiting that are due; the others follow in the next.
_MOST_NOT_PLACED = 1_000
# Ends that are ours, and say nothing about the number.
_OURS = frozenset({None, "lost", "agent_failed", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What the open rounds need now: calls to place, calls that will not be, rounds that are over.

    `next_at` is when something may be due again; None when every round is over. A request that was not admitted yet
    is given again, under the same plan key.
    """

    requests: tuple[CallRequest, ...] = ()
    not_placed: tuple[Refusal, ...] = ()
    finished: tuple[str, ...] = ()
    next_at: datetime | None = None


def matrix(scenario: Scenario, round_id: str, new_id: Callable[[], str]) -> tuple[CallRequest, ...]:
    """Return every caller to every destination once; `new_id` makes the id of each call."""
    callers, destinations = scenario.callers, scenario.destinations
    return tuple(
        _request(scenario, round_id, round_id, _Planned(callers[caller], destinations[destination]), new_id())
        for caller, destination in interleaved(len(callers), len(destinations))
    )


def may_start(request: CallRequest, in_flight: Collection[CallRequest]) -> bool:
    """Say whether this call may start beside those under way: a destination is rung by one call at a time."""
    return all(request.callee != other.callee for other in in_flight)


def plan_key(scenario: str, caller: str, callee: str, planned: str, retest: int = 0, site: str = LOCAL) -> str:  # noqa: PLR0913, PLR0917 - the parts of the key, in their order
    """Return what makes a planned call unique; `planned` is the minute it was planned for, or the id of its round.

    `retest` is 0 for the first call of a pair, 1 for its retest and 2 for a control call.
    """
    from_site = "" if site == LOCAL else f"|{site}"
    return f"{scenario}|{caller}|{callee}|{planned}|{retest}{from_site}"


def planned_minute(at: datetime) -> str:
    """Write the moment that a round was planned for, as it stands in the plan keys of its calls."""
    return f"{at:%Y-%m-%dT%H:%MZ}" if not at.second else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def due(  # noqa: PLR0913 - the past, the time and all that is asked from outside
    scenario: Scenario,
    history: History,
    rounds: Iterable[OpenRound],
    now: datetime,
    *,
    new_id: Callable[[], str],
    certainty: Certainty = _NO_CERTAINTY,
    stopped: bool = False,
) -> Due:
    """Return the calls of the open rounds that are due now and that the guard would let through.

    `certainty` tells how sure the standing of a caller on a network is; the least sure comes first where the limits
    leave room for a part only. A round is finished when nothing of it is to come and nothing is under way.
    """
    allowed = allowed_by(scenario)
    found = [
        _all_sites(
            _Tick(scenario, allowed, history, round_, now, site=site, stopped=stopped, new_id=new_id).due(certainty)
            for site in _turns(scenario.sites, history.rounds.get(round_.id, ())) or (LOCAL,)
        )
        for round_ in rounds
    ]
    return Due(
        requests=_one_per_number(request for one in found for request in one.requests),
        not_placed=tuple(refusal for one in found for refusal in one.not_placed),
        finished=tuple(round_id for one in found for round_id in one.finished),
        next_at=_first(found),
    )


def _turns(sites: tuple[str, ...], attempts: Iterable[Attempt]) -> list[str]:
    """Ask the site first that has called the least: of two that want one number, the first has it."""
    called = Counter(attempt.site for attempt in attempts)
    return sorted(sites, key=lambda site: called[site])


def _all_sites(sites: Iterable[Due]) -> Due:
    """Put together what the sites of a round need; it is finished when it is at each of them."""
    found = tuple(sites)
    return Due(
        requests=tuple(request for one in found for request in one.requests),
        not_placed=tuple(refusal for one in found for refusal in one.not_placed),
        finished=found[0].finished if all(one.finished for one in found) else (),
        next_at=_first(found),
    )


def _first(found: Iterable[Due]) -> datetime | None:
    return min((one.next_at for one in found if one.next_at), default=None)


@dataclass(frozen=True, slots=True)
class _Planned:
    """One call of a round: the pair, which try it is, and when it is due."""

    caller: Caller
    destination: Destination
    retest: int = _FIRST
    at: datetime | None = None
    control_of: str | None = None


@dataclass(slots=True)
class _Found:
    """What a tick has found so far."""

    requests: list[CallRequest] = field(default_factory=list)
    not_placed: list[Refusal] = field(default_factory=list)
    next_at: list[datetime] = field(default_factory=list)
    # Who is refused, or asked already, in this tick; the key "" stands for everybody.
    shut: dict[str, Refusal | None] = field(default_factory=dict)


class _Tick:
    """One look at one round."""

    def __init__(  # noqa: PLR0913 - as `due`
        self,
        scenario: Scenario,
        allowed: Allowed,
        history: History,
        round_: OpenRound,
        now: datetime,
        *,
        site: str,
        stopped: bool,
        new_id: Callable[[], str],
    ) -> None:
        self._site = site
        self._scenario = scenario
        self._allowed = allowed
        self._history = history
        self._round = round_
        self._now = now
        self._stopped = stopped
        self._new_id = new_id
        self._planned_for = planned_minute(round_.starts_at)
        self._attempts = tuple(one for one in history.rounds.get(round_.id, ()) if one.site == site)
        self._settled = history.refused | {attempt.plan_key for attempt in self._attempts}
        self._callers = {caller.number: caller for caller in scenario.callers}
        self._destinations = {destination.number: destination for destination in scenario.destinations}
        self._closes_at = closes_at(round_, scenario)
        self._found = _Found()

    def due(self, certainty: Certainty) -> Due:
        follow_ups = [*self._controls(), *self._retests()]
        every = self._matrix()
        open_pairs = [pair for pair in every if not self._is_settled(*pair)]
        if self._now >= self._closes_at:
            self._give_up([*follow_ups, *(_Planned(*pair) for pair in open_pairs)])
        else:
            self._wait_for_calls_under_way()
            self._ask(follow_ups)
            self._ask(self._paced(*self._timed(every, self._fitting(open_pairs, certainty))))
        return self._answer()

    def _wait_for_calls_under_way(self) -> None:
        """Leave alone who is being rung, by this process or one that died; `limits: none` does not lift that here."""
        for callee in self._destinations:
            for attempt in self._history.callees.get(callee, ()):
                if attempt.ended_at is None and attempt.over_by > self._now:
                    self._found.shut[callee] = None
                    self._found.next_at.append(self._now + _TICK)

    def _answer(self) -> Due:
        found = self._found
        # What must be over has no end before it is marked lost, and the round's results are to hold it.
        under_way = [attempt.over_by for attempt in self._attempts if attempt.ended_at is None]
        awaited = [*found.next_at, *(max(over_by, self._now + _TICK) for over_by in under_way)]
        is_over = not found.requests and not awaited
        if not is_over and self._now < self._closes_at:
            awaited.append(self._closes_at)
        return Due(
            requests=tuple(found.requests),
            not_placed=tuple(found.not_placed),
            finished=(self._round.id,) if is_over else (),
            next_at=None if is_over else min(awaited, default=self._now),
        )

    def _matrix(self) -> list[Pair]:
        callers, destinations = self._scenario.callers, self._scenario.destinations
        # Each site has an order of its own, so that they seldom want the same number at once.
        seed = self._round.id if self._site == LOCAL else f"{self._round.id} {self._site}"
        order = interleaved(len(callers), len(destinations), seed)
        return [(callers[caller], destinations[destination]) for caller, destination in order]

    def _key(self, caller: str, callee: str, retest: int = _FIRST) -> str:
        return plan_key(self._scenario.name, caller, callee, self._planned_for, retest, self._site)

    def _is_settled(self, caller: Caller, destination: Destination) -> bool:
        return self._key(caller.number, destination.number) in self._settled

    def _fitting(self, open_pairs: list[Pair], certainty: Certainty) -> set[tuple[str, str]]:
        """Find the pairs that the limits leave room for, and name the others as not placed."""
        fitting = fit(
            open_pairs,
            self._scenario,
            self._history,
            lambda callee: zones(callee, self._allowed),
            certainty,
            now=self._now,
            ends_at=self._closes_at,
        )
        for pair, rule, why in fitting.left:
            self._refuse(_Planned(*pair), rule, why)
        return {(caller.number, destination.number) for caller, destination in fitting.pairs}

    def _timed(self, every: list[Pair], fitting: set[tuple[str, str]]) -> tuple[int, Iterator[_Planned]]:
        """Give each pair that fits its time; those that were tried keep their places in the row."""
        kept = fitting | {(attempt.caller, attempt.callee) for attempt in self._attempts}
        row = [pair for pair in every if (pair[0].number, pair[1].number) in kept]
        times = slots(self._round, self._closes_at, len(row), self._jitter_s)
        timed = zip(row, times, strict=False)
        return len(row), (_Planned(*pair, at=at) for pair, at in timed if (pair[0].number, pair[1].number) in fitting)

    @property
    def _jitter_s(self) -> int:
        return self._scenario.schedule.jitter_s if self._scenario.schedule else 0

    def _paced(self, calls: int, timed: Iterator[_Planned]) -> Iterator[_Planned]:
        """Yield what is due, no faster than twice the pace of the round: what was missed comes in no burst."""
        pace = step_of(self._round, self._closes_at, calls) / 2
        most = self._most_now(pace)
        for one in timed:
            assert one.at is not None
            if one.at > self._now:
                self._found.next_at.append(one.at)
                return
            if len(self._found.requests) >= most:
                self._found.next_at.append(self._now + pace)
                return
            yield one

    def _most_now(self, pace: timedelta) -> int:
        """Count how many calls of this round may start now."""
        most = max(1, ceil(_CATCH_UP / (2 * pace)))
        last = max((attempt.at for attempt in self._attempts), default=None)
        return most if last is None else min(most, int((self._now - last) / pace))

    def _ask(self, planned: Iterable[_Planned]) -> None:
        """Take the calls that the guard would let through now; wait with those that it may let through in time."""
        for one in planned:
            if one.at is not None and one.at > self._now:
                self._found.next_at.append(one.at)
                continue
            refusal, is_known = self._known(one)
            if not is_known:
                request = self._request(one)
                refusal = self._check(request)
                self._remember(request, refusal)
                if refusal is None:
                    self._found.requests.append(request)
            if refusal is not None:
                self._wait_or_refuse(one, refusal)
            elif is_known:
                self._found.next_at.append(self._now + _TICK)

    def _check(self, request: CallRequest) -> Refusal | None:
        return check(request, allowed=self._allowed, history=self._history, now=self._now, stopped=self._stopped)

    def _known(self, planned: _Planned) -> tuple[Refusal | None, bool]:
        for name in ("", planned.caller.number, planned.destination.number):
            if name in self._found.shut:
                return self._found.shut[name], True
        return None, False

    def _remember(self, request: CallRequest, refusal: Refusal | None) -> None:
        """Ask for nobody twice in a tick, and no rule twice about the same number."""
        shut = self._found.shut
        if refusal is None:
            shut[request.caller] = shut[request.callee] = None
        elif refusal.rule in _OF_TRUNK:
            shut[""] = refusal
        elif refusal.rule in _OF_CALLER:
            shut[request.caller] = refusal
        elif refusal.rule not in _OF_PAIR:
            shut[request.callee] = refusal

    def _wait_or_refuse(self, planned: _Planned, refusal: Refusal) -> None:
        if refusal.rule in _LIFTED_BY_HAND:
            self._found.next_at.append(self._closes_at)
        elif refusal.until is None or refusal.until >= self._closes_at:
            self._refuse(planned, refusal.rule, refusal.why)
        else:
            self._found.next_at.append(refusal.until)

    def _refuse(self, planned: _Planned, rule: str, why: str) -> None:
        if len(self._found.not_placed) < _MOST_NOT_PLACED:
            self._found.not_placed.append(Refusal(request=self._request(planned), rule=rule, why=why))
        else:
            self._found.next_at.append(self._now + _TICK)

    def _give_up(self, planned: Iterable[_Planned]) -> None:
        """Say of each call that is left at the end of the round what keeps it, or that its time was over."""
        over = f"The round of {self._planned_for} ended before this call could be placed."
        for one in planned:
            refusal, is_known = self._known(one)
            if not is_known:
                request = self._request(one)
                refusal = self._check(request)
                if refusal is not None:
                    self._remember(request, refusal)
            if refusal is None:
                self._refuse(one, "round_over", over)
            else:
                self._refuse(one, refusal.rule, refusal.why)

    def _retests(self) -> Iterator[_Planned]:
        """Yield one more call for each caller ID that failed in this round, once, a while after its first failure."""
        schedule = self._scenario.schedule
        if schedule is None or schedule.retest_s is None:
            return
        failed: dict[str, Attempt] = {}
        retested: set[str] = set()
        for attempt in self._attempts:
            if attempt.plan_key == self._key(attempt.caller, attempt.callee, _RETEST):
                retested.add(attempt.caller)
            elif self._has_failed(attempt):
                failed.setdefault(attempt.caller, attempt)
        for caller, attempt in failed.items():
            pair = self._pair(attempt)
            is_settled = self._key(caller, attempt.callee, _RETEST) in self._settled
            if pair and caller not in retested and not is_settled and attempt.ended_at:
                yield _Planned(*pair, retest=_RETEST, at=attempt.ended_at + timedelta(seconds=schedule.retest_s))

    def _has_failed(self, attempt: Attempt) -> bool:
        """Say whether a first call did not end as expected; a blocker that named itself is not asked again."""
        if attempt.ending in _OURS or attempt.definitive or attempt.disposition is None:
            return False
        pair = self._pair(attempt)
        if pair is None or attempt.plan_key != self._key(attempt.caller, attempt.callee):
            return False
        expected = _expected(pair[1], pair[0])
        if expected is None:
            return attempt.disposition != "answered"
        return not is_met(replace(expected, max_final_ms=None), attempt.disposition, None)

    def _controls(self) -> Iterator[_Planned]:
        """Yield a call of the control to each destination that refused another caller ID, once a round."""
        control = self._scenario.control
        if control is None:
            return
        asked: set[str] = set()
        for attempt in self._attempts:
            if attempt.ending != "refused" or attempt.caller == control or attempt.callee in asked:
                continue
            asked.add(attempt.callee)
            pair = self._pair(attempt)
            if pair and self._key(control, attempt.callee, _CONTROL) not in self._settled:
                caller = self._callers.get(control) or Caller(number=control)
                yield _Planned(caller, pair[1], retest=_CONTROL, control_of=attempt.call_id)

    def _pair(self, attempt: Attempt) -> Pair | None:
        """Find a past call in the file as it is now; it may have been edited since."""
        caller, destination = self._callers.get(attempt.caller), self._destinations.get(attempt.callee)
        return (caller, destination) if caller and destination else None

    def _request(self, planned: _Planned) -> CallRequest:
        request = _request(self._scenario, self._round.id, self._planned_for, planned, self._new_id())
        key = self._key(request.caller, request.callee, planned.retest)
        return request if self._site == LOCAL else replace(request, site=self._site, plan_key=key)


def ask_again_at(refusal: Refusal, now: datetime, until: datetime) -> datetime | None:
    """Say when to ask the guard again about a planned call that it refused; None if it will refuse it until the end."""
    if refusal.rule in _LIFTED_BY_HAND or refusal.rule == "destination_busy":  # as a rule it is free far sooner
        return min(now + _CATCH_UP, until)
    return refusal.until if refusal.until is not None and refusal.until < until else None


def closes_at(round_: OpenRound, scenario: Scenario) -> datetime:
    """Say until when calls may start: the last one shall be over when the next round begins."""
    longest = timedelta(milliseconds=scenario.ring_limit_ms + scenario.hold_ms) + 3 * _TICK
    return max(round_.ends_at - longest, round_.starts_at + (round_.ends_at - round_.starts_at) / 2)


def _one_per_number(requests: Iterable[CallRequest]) -> tuple[CallRequest, ...]:
    """Keep, of the requests of several rounds, the first of each caller and of each callee."""
    seen: set[str] = set()
    kept = []
    for request in requests:
        if not {request.caller, request.callee} & seen:
            seen |= {request.caller, request.callee}
            kept.append(request)
    return tuple(kept)


def _request(scenario: Scenario, round_id: str, planned_for: str, planned: _Planned, call_id: str) -> CallRequest:
    caller, destination = planned.caller, planned.destination
    return CallRequest(
        id=call_id,
        plan_key=plan_key(scenario.name, caller.number, destination.number, planned_for, planned.retest),
        trunk=scenario.trunk.name,
        caller=caller.number,
        callee=destination.number,
        consent=destination.consent,
        scenario=scenario.name,
        round=round_id,
        network=destination.network,
        label=caller.label,
        campaign=caller.campaign,
        lead_source=caller.lead_source,
        tags=caller.tags,
        timezone=destination.timezone,
        ring_limit_ms=scenario.ring_limit_ms,
        hold_ms=scenario.hold_ms,
        expect=_expected(destination, caller),
        control_of=planned.control_of,
    )


def _expected(destination: Destination, caller: Caller) -> Expectation | None:
    return destination.expect_from.get(caller.number, destination.expect)
