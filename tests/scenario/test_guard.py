"""The only gate before a phone rings: what it refuses, by which rule, and that nothing lifts the first."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from attempted import CALLEE, CALLER, ELSEWHERE, NOON, OTHER, TRUNK, ago, attempt, under_way

from probe.call import CallRequest
from probe.phone import normalise
from probe.scenario.file import load_scenario
from probe.scenario.guard import Allowed, allowed_by, check, on_loopback, reach
from probe.scenario.history import NOTHING, Pause, PauseKind, history_of
from probe.scenario.plan import matrix
from probe.scenario.scenario import Hours, Limits, Maintenance, Rate
from probe.trunk import Trunk

VALID = Path(__file__).parents[1] / "data" / "scenarios" / "valid"
LISTED = Allowed(callers=frozenset({CALLER}), destinations={CALLEE: "our own SIM"})
BY_HAND = Allowed(callers=frozenset({CALLER}), consent="my own telephone")


def request(caller=CALLER, callee=CALLEE, **changes):
    return CallRequest(id="1", plan_key="1", trunk=TRUNK, caller=caller, callee=callee, **changes)


def rule(refusal):
    return refusal.rule if refusal else None


@pytest.mark.parametrize("allowed", [LISTED, BY_HAND, replace(LISTED, limits=None, trunk_on_loopback=True)])
def test_a_listed_caller_may_ring_a_destination_with_consent(allowed):
    assert check(request(), allowed=allowed, history=NOTHING, now=NOON) is None


REFUSED = [
    ("no_consent", request(), Allowed(callers=frozenset({CALLER}))),
    ("no_consent", request(callee="+12025550192"), LISTED),
    ("no_consent", request(), replace(BY_HAND, consent="")),
    ("no_consent", request(), replace(BY_HAND, consent=" \t")),
    ("no_consent", request(), replace(LISTED, destinations={CALLEE: ""})),
    ("caller_unlisted", request(), replace(LISTED, callers=frozenset())),
    ("caller_unlisted", request(caller="+12025550102"), LISTED),
    ("caller_malformed", request(caller="12025550101"), replace(LISTED, callers=frozenset({"12025550101"}))),
    ("caller_malformed", request(caller=""), replace(LISTED, callers=frozenset({""}))),
    ("caller_malformed", request(caller="+1 2025550101"), replace(LISTED, callers=frozenset({"+1 2025550101"}))),
    ("caller_malformed", request(caller="911"), replace(LISTED, callers=frozenset({"911"}))),
    ("caller_barred", request(caller="+18002738255"), replace(LISTED, callers=frozenset({"+18002738255"}))),
    ("callee_malformed", request(callee="12025550191"), replace(BY_HAND, destinations={"12025550191": "mine"})),
    ("callee_malformed", request(callee=""), BY_HAND),
    ("callee_malformed", request(callee="+1 202 555 0191"), BY_HAND),
    ("callee_malformed", request(callee="sip:+12025550191@sbc.example.com"), BY_HAND),
    ("callee_malformed", request(callee="+12025550191\r\nVia: x"), BY_HAND),
    ("callee_malformed", request(callee="alice"), BY_HAND),
    ("no_limits", request(), replace(LISTED, limits=None)),
]


@pytest.mark.parametrize(("expected", "asked", "allowed"), REFUSED)
def test_a_call_is_refused_by_the_first_rule_it_breaks(expected, asked, allowed):
    refusal = check(asked, allowed=allowed, history=NOTHING, now=NOON)
    assert refusal is not None
    assert expected == refusal.rule
    assert asked == refusal.request
    assert refusal.why.isprintable()
    assert refusal.why.endswith(".")


BARRED = {
    "911": "emergency",
    "+911": "emergency",
    "+1911": "emergency",
    "tel:112": "emergency",
    "sip:999@sbc.example.com": "emergency",
    "%39%31%31": "emergency",
    "\uff19\uff11\uff11": "emergency",
    "9\r\n1\r\n1": "emergency",
    "+44999": "emergency",
    "988": "crisis_line",
    "+18002738255": "crisis_line",
    "411": "short_code",
    "+19005550101": "premium_rate",
    "+8816123456": "satellite",
    "+80812345678": "shared_cost",
    "+12025551212": "directory_assistance",
}
GENEROUS = [
    Allowed(
        callers=frozenset({CALLER}),
        destinations=dict.fromkeys([*BARRED, *filter(None, map(normalise, BARRED))], "they said yes"),
        consent=consent,
        limits=limits,
        trunk_on_loopback=loopback,
    )
    for consent, limits, loopback in product((None, "they said yes"), (None, Limits()), (True, False))
]


@pytest.mark.parametrize(("number", "expected"), BARRED.items())
def test_nothing_that_is_allowed_lifts_a_barred_number(number, expected):
    assert {expected} == {
        rule(check(request(callee=number), allowed=allowed, history=NOTHING, now=NOON)) for allowed in GENEROUS
    }


def test_a_barred_number_is_refused_above_every_other_rule():
    refusal = check(request(caller="nobody", callee="911"), allowed=Allowed(limits=None), history=NOTHING, now=NOON)
    assert refusal is not None
    expected = "'911' is never dialled: 911 is an emergency number."
    assert expected == refusal.why


def test_every_barred_destination_of_a_file_is_refused():
    scenario = load_scenario(VALID / "barred_destinations.yaml", {})
    ids = iter("123")
    planned = matrix(scenario, "round", lambda: next(ids))
    expected = ["emergency", "crisis_line", "emergency"]
    assert expected == [rule(check(call, allowed=allowed_by(scenario), history=NOTHING, now=NOON)) for call in planned]


def test_every_call_that_a_sound_file_plans_is_let_through():
    environ = dict.fromkeys(["TRUNK_USER", "TRUNK_PASSWORD", "HOOK_TOKEN"], "x")
    environ["WEBHOOK_SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    scenario = load_scenario(VALID / "every_key.yaml", environ)
    allowed = allowed_by(scenario)
    planned = matrix(scenario, "round", lambda: "id")
    assert planned
    assert {None} == {check(call, allowed=allowed, history=NOTHING, now=NOON) for call in planned}
    control = replace(planned[0], caller=scenario.control)
    assert check(control, allowed=allowed, history=NOTHING, now=NOON) is None


@pytest.mark.parametrize(
    ("trunk", "expected"),
    [
        (Trunk(name="t", host="127.0.0.1"), True),
        (Trunk(name="t", host="::1", outbound_proxy="sip:localhost:5062;lr"), True),
        (Trunk(name="t", host="192.0.2.1"), False),
        (Trunk(name="t", host="127.0.0.1", outbound_proxy="sip:192.0.2.1"), False),
        (Trunk(name="t", host="sbc.example.com", outbound_proxy="sip:127.0.0.1"), False),
    ],
)
def test_a_trunk_is_on_loopback_when_it_and_its_proxy_are(trunk, expected):
    assert expected == on_loopback(trunk)


AFTER_NOON = Limits(hours=Hours(opens=13 * 60, closes=20 * 60))
WINDOW = Maintenance(starts_at=ago(hours=1), ends_at=NOON + timedelta(hours=1))
PAST_OF_A_DAY = [attempt(ago(hours=hours), OTHER, ELSEWHERE, scenario="s", talk_ms=60_000) for hours in (23, 20, 10)]
NO_SUCH_ZONE = "+883510012345"


def pause(kind, name):
    return Pause(kind=kind, name=name, since=ago(days=1), why="the carrier asked for it")


def within(limits, **changes):
    return replace(LISTED, limits=limits, **changes)


def ask(asked=None, allowed=LISTED, attempts=(), pauses=(), now=NOON, **more):
    past = history_of(attempts, now=now, pauses=pauses)
    return check(asked or request(), allowed=allowed, history=past, now=now, **more)


BY_THE_PAST = [
    ("per_caller", NOON + timedelta(seconds=20), LISTED, [attempt(ago(seconds=40), callee=ELSEWHERE)]),
    ("per_destination", NOON + timedelta(seconds=20), LISTED, [attempt(ago(seconds=40), caller=OTHER)]),
    ("per_caller", NOON + timedelta(hours=1, seconds=60), LISTED, [attempt(ago(hours=-1), callee=ELSEWHERE)]),
    ("destination_busy", ago(seconds=-51), LISTED, [under_way(ago(seconds=40), caller=OTHER)]),
    ("per_caller", NOON + timedelta(seconds=30), LISTED, [under_way(ago(seconds=40), callee=ELSEWHERE)]),
    ("calls_per_day", ago(hours=-1), within(Limits(calls_per_day=3)), PAST_OF_A_DAY),
    (None, None, within(Limits(calls_per_day=4)), PAST_OF_A_DAY),
    ("minutes_per_day", ago(hours=-1), within(Limits(minutes_per_day=3)), PAST_OF_A_DAY),
    (None, None, within(Limits(minutes_per_day=4)), PAST_OF_A_DAY),
    (
        "spend_per_day",
        ago(hours=-1),
        within(Limits(spend_per_day=Decimal("0.0399"), rate_per_minute=Decimal("0.01"))),
        PAST_OF_A_DAY,
    ),
    (None, None, within(Limits(spend_per_day=Decimal("0.04"), rate_per_minute=Decimal("0.01"))), PAST_OF_A_DAY),
    ("spend_per_day", None, within(Limits(spend_per_day=Decimal(0), rate_per_minute=Decimal("0.01"))), []),
    (
        "breaker_trunk",
        ago(minutes=-13, seconds=-40),
        LISTED,
        [attempt(ago(minutes=m), OTHER, ELSEWHERE, status=503, ending="refused") for m in (1.5, 2, 3, 4, 5)],
    ),
    ("hours", NOON + timedelta(hours=1), within(AFTER_NOON), []),
    ("hours", NOON + timedelta(hours=1), within(Limits(), timezones={CALLEE: "America/Anchorage"}), []),
    (None, None, within(AFTER_NOON, timezones={CALLEE: "Europe/Berlin"}), []),
    ("weekday", NOON - timedelta(hours=3) + timedelta(days=1), within(Limits(weekdays=frozenset({5}))), []),
    ("holiday", NOON - timedelta(hours=3) + timedelta(days=1), within(Limits(holidays=frozenset({NOON.date()}))), []),
    ("maintenance", NOON + timedelta(hours=1), within(Limits(maintenance=(WINDOW,))), []),
]


@pytest.mark.parametrize(("rule", "until", "allowed", "attempts"), BY_THE_PAST)
def test_the_past_and_the_clock_refuse_by_rule_and_say_until_when(rule, until, allowed, attempts):
    refusal = ask(allowed=allowed, attempts=attempts)
    assert (rule, until) == ((refusal.rule, refusal.until) if refusal else (None, None))


@pytest.mark.parametrize(("rule", "allowed", "attempts"), [(case[0], *case[2:]) for case in BY_THE_PAST if case[1]])
def test_at_the_moment_that_a_refusal_names_the_rule_lets_the_call_through(rule, allowed, attempts):
    refusal = ask(allowed=allowed, attempts=attempts)
    again = ask(allowed=allowed, attempts=attempts, now=refusal.until)
    assert again is None or rule != again.rule


@pytest.mark.parametrize(("allowed", "attempts"), [case[2:] for case in BY_THE_PAST if case[0]])
def test_on_loopback_no_limits_lifts_what_the_past_and_the_clock_forbid(allowed, attempts):
    assert ask(allowed=replace(allowed, limits=None, trunk_on_loopback=True), attempts=attempts) is None


def test_where_nobody_knows_the_time_there_is_no_call():
    allowed = Allowed(callers=frozenset({CALLER}), destinations={NO_SUCH_ZONE: "ours"})
    refusal = ask(request(callee=NO_SUCH_ZONE), allowed)
    assert ("satellite", None) == (refusal.rule, refusal.until)  # every number without a zone is barred, too
    assert "timezone_unknown" == ask(request(callee="+80012345678"), replace(BY_HAND)).rule


STANDS = [replace(LISTED, limits=limits, trunk_on_loopback=True) for limits in (Limits(), None)]
BLOCKED = attempt(ago(hours=2), round="r1", definitive=True, status=603, ending="refused")


@pytest.mark.parametrize("allowed", STANDS)
@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("stop_file", {"stopped": True}),
        ("paused_trunk", {"pauses": [pause(PauseKind.TRUNK, TRUNK)]}),
        ("paused_number", {"pauses": [pause(PauseKind.NUMBER, CALLER)]}),
        ("paused_number", {"pauses": [pause(PauseKind.NUMBER, CALLEE)]}),
        ("pair_refused", {"attempts": [BLOCKED]}),
    ],
)
def test_no_limits_does_not_lift_stop_file_pause_and_pair(allowed, rule, more):
    refusal = ask(request(round="r1"), allowed, **more)
    assert rule == refusal.rule
    assert refusal.why.endswith(".")


@pytest.mark.parametrize(
    "asked",
    [request(round="r2"), request(round=None), request(OTHER, round="r1"), request(callee=ELSEWHERE, round="r1")],
)
def test_a_definitive_refusal_bars_only_its_pair_and_only_in_its_round(asked):
    allowed = Allowed(callers=frozenset({CALLER, OTHER}), destinations={CALLEE: "ours", ELSEWHERE: "ours"})
    assert ask(asked, allowed, [BLOCKED]) is None


def test_a_pause_of_another_number_or_trunk_is_nothing_to_this_call():
    pauses = [pause(PauseKind.TRUNK, "carrier-b"), pause(PauseKind.NUMBER, TRUNK), pause(PauseKind.NUMBER, OTHER)]
    assert ask(pauses=pauses) is None


def test_a_day_is_counted_for_the_scenario_over_every_trunk():
    allowed = within(Limits(calls_per_day=3))
    elsewhere = [replace(one, trunk="carrier-b") for one in PAST_OF_A_DAY]
    assert ask(allowed=allowed, attempts=elsewhere) is None
    assert "calls_per_day" == ask(request(scenario="s"), allowed, elsewhere).rule


def test_the_guard_looks_as_far_back_as_its_longest_rate():
    assert reach(None) is None
    assert timedelta(days=1) == reach(Limits(per_caller=(), per_destination=()))
    assert reach(Limits(per_caller=(Rate(count=3, window_s=7 * 86_400),))) > timedelta(days=7)


def test_a_holiday_is_one_where_the_phone_is():
    auckland = within(Limits(holidays=frozenset({date(2026, 11, 21)})), timezones={CALLEE: "Pacific/Auckland"})
    early = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)  # 9:00 on Saturday the 21st in Auckland
    assert "holiday" == ask(allowed=auckland, now=early).rule
