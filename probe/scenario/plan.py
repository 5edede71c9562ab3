"""A scenario in, the calls to place out, in an order that rings no phone and shows no caller ID in bunches."""

from collections.abc import Callable, Collection, Iterator
from math import gcd, lcm

from probe.call import CallRequest
from probe.expectation import Expectation
from probe.scenario.scenario import Caller, Destination, Scenario


def matrix(scenario: Scenario, round_id: str, new_id: Callable[[], str]) -> tuple[CallRequest, ...]:
    """Return every caller to every destination once; `new_id` makes the id of each call."""
    return tuple(
        _request(scenario, round_id, new_id(), caller, destination)
        for caller, destination in _interleaved(scenario.callers, scenario.destinations)
    )


def may_start(request: CallRequest, in_flight: Collection[CallRequest]) -> bool:
    """Say whether this call may start beside those under way: a destination is rung by one call at a time."""
    return all(request.callee != other.callee for other in in_flight)


def plan_key(scenario: str, caller: str, callee: str, planned: str, retest: int = 0) -> str:
    """Return what makes a planned call unique; `planned` is the minute it was planned for, or the id of its round."""
    return "|".join((scenario, caller, callee, planned, str(retest)))


def _interleaved(
    callers: tuple[Caller, ...], destinations: tuple[Destination, ...]
) -> Iterator[tuple[Caller, Destination]]:
    """Go round both lists at once; one step aside after each full turn, so that every pair comes up exactly once."""
    turn = lcm(len(callers), len(destinations))
    for aside in range(gcd(len(callers), len(destinations))):
        for step in range(turn):
            yield callers[step % len(callers)], destinations[(step + aside) % len(destinations)]


def _request(scenario: Scenario, round_id: str, call_id: str, caller: Caller, destination: Destination) -> CallRequest:
    return CallRequest(
        id=call_id,
        plan_key=plan_key(scenario.name, caller.number, destination.number, round_id),
        trunk=scenario.trunk.name,
        caller=caller.number,
        callee=destination.number,
        consent=destination.consent,
        scenario=scenario.name,
        round=round_id,
        network=destination.network,
        label=caller.label,
        campaign=caller.campaign,
        ring_limit_ms=scenario.ring_limit_ms,
        hold_ms=scenario.hold_ms,
        expect=_expected(destination, caller),
    )


def _expected(destination: Destination, caller: Caller) -> Expectation | None:
    return destination.expect_from.get(caller.number, destination.expect)
