"""A call that is asked for in; None out, or the refusal. The only gate before a phone rings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from probe.call import CallRequest
from probe.phone import barred, normalise
from probe.scenario.notation import is_loopback, read_uri
from probe.scenario.scenario import Limits, Scenario
from probe.trunk import Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the user allows: listed callers, destinations with consent, the limits, and where the trunk ends.

    `consent` is the reason given by hand for a callee on no list. `limits` None stands for `limits: none`.
    """

    callers: frozenset[str] = frozenset()
    destinations: Mapping[str, str] = field(default_factory=dict)
    consent: str | None = None
    limits: Limits | None = field(default_factory=Limits)
    trunk_on_loopback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that is not placed: the name of the rule, and one sentence that says why."""

    request: CallRequest
    rule: str
    why: str


def check(request: CallRequest, *, allowed: Allowed) -> Refusal | None:
    """Return the first rule that forbids this call, or None; nothing lifts the list of barred numbers."""
    for rule in _RULES:
        if broken := rule(request, allowed):
            name, why = broken
            return Refusal(request=request, rule=name, why=why)
    return None


def allowed_by(scenario: Scenario) -> Allowed:
    """Return what a scenario file allows."""
    control = {scenario.control} if scenario.control else set()
    return Allowed(
        callers=frozenset({caller.number for caller in scenario.callers} | control),
        destinations={destination.number: destination.consent for destination in scenario.destinations},
        limits=scenario.limits,
        trunk_on_loopback=on_loopback(scenario.trunk),
    )


def on_loopback(trunk: Trunk) -> bool:
    """Say whether calls over this trunk, and over its outbound proxy, stay on this machine."""
    hosts = [trunk.host]
    if trunk.outbound_proxy:
        hosts.append(read_uri(trunk.outbound_proxy).host)
    return all(is_loopback(host) for host in hosts)


def _barred(request: CallRequest, _allowed: Allowed) -> tuple[str, str] | None:
    found = barred(request.callee)
    return (found.rule, f"{request.callee!a} is never dialled: {found.why}.") if found else None


def _callee_is_no_number(request: CallRequest, _allowed: Allowed) -> tuple[str, str] | None:
    if normalise(request.callee) == request.callee:
        return None
    return "callee_malformed", f"{request.callee!a} is not a phone number in full; write it as +12025550199."


def _no_consent(request: CallRequest, allowed: Allowed) -> tuple[str, str] | None:
    consent = allowed.destinations.get(request.callee) or allowed.consent or ""
    if consent.strip():
        return None
    return "no_consent", (
        f"{request.callee} stands on no destination list; list it with its consent, "
        "or say with --consent why it may be rung."
    )


def _caller_is_no_number(request: CallRequest, _allowed: Allowed) -> tuple[str, str] | None:
    if normalise(request.caller) == request.caller:
        return None
    return "caller_malformed", f"{request.caller!a} is not a phone number in full; write it as +12025550101."


def _caller_is_barred(request: CallRequest, _allowed: Allowed) -> tuple[str, str] | None:
    found = barred(request.caller)
    if found is None or found.rule not in {"emergency", "crisis_line"}:
        return None
    return "caller_barred", f"{request.caller} never stands as a caller ID: {found.why}."


def _caller_is_unknown(request: CallRequest, allowed: Allowed) -> tuple[str, str] | None:
    if request.caller in allowed.callers:
        return None
    return "caller_unlisted", f"{request.caller} stands on no list of callers; list it if it is assigned to you."


def _no_limits(_request: CallRequest, allowed: Allowed) -> tuple[str, str] | None:
    if allowed.limits is not None or allowed.trunk_on_loopback:
        return None
    return "no_limits", "The trunk leads beyond this machine and has no limits; take `limits: none` out."


_RULES: tuple[Callable[[CallRequest, Allowed], tuple[str, str] | None], ...] = (
    _barred,  # stays first: above everything that a file or an option can say
    _callee_is_no_number,
    _no_consent,
    _caller_is_no_number,
    _caller_is_barred,
    _caller_is_unknown,
    _no_limits,
)
