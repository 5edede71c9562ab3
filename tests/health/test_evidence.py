import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.health import BLOCKED, Evidence, evidence_of, wilson
from probe.health.evidence import settled
from probe.verdict import Disposition


@pytest.mark.parametrize(
    ("hits", "total", "interval"),
    [
        (17, 41, (0.278, 0.566)),  # the interface's example
        (81, 263, (0.255, 0.366)),  # Newcombe 1998, table I
        (15, 148, (0.062, 0.161)),  # Newcombe 1998
        (0, 20, (0.0, 0.161)),  # Newcombe 1998
        (1, 29, (0.006, 0.172)),  # Newcombe 1998
        (5, 5, (0.566, 1.0)),
    ],
)
def test_the_interval_has_the_published_values(hits, total, interval):
    assert interval == pytest.approx(wilson(hits, total), abs=0.0006)


@given(st.integers(1, 10**9), st.data())
def test_the_interval_holds_the_share_and_stays_within_nothing_and_all(total, data):
    hits = data.draw(st.integers(0, total))
    low, high = wilson(hits, total)
    assert 0.0 <= low <= hits / total <= high <= 1.0


def test_three_dispositions_say_blocked():
    assert {"analytics_blocked", "subscriber_blocked", "provider_blocked"} == BLOCKED


@pytest.mark.parametrize("disposition", ["answered", "no_answer", "user_busy", "user_declined"])
def test_what_reached_the_called_party_got_through(disposition):
    assert Evidence.THROUGH is evidence_of(Disposition(disposition))


@pytest.mark.parametrize("disposition", ["rejected_ambiguous", "unreachable"])
def test_what_a_person_a_machine_or_the_route_may_have_said_is_ambiguous(disposition):
    assert Evidence.AMBIGUOUS is evidence_of(Disposition(disposition))


@pytest.mark.parametrize("disposition", sorted(Disposition))
def test_every_disposition_is_evidence_or_none(disposition):
    said = evidence_of(disposition)
    spoken = {"answered", "no_answer", "user_busy", "user_declined", "analytics_suspected", "rejected_ambiguous"}
    assert (said is Evidence.NONE) == (disposition not in {*spoken, *BLOCKED, "unreachable"})


@pytest.mark.parametrize(
    ("refused", "control", "evidence"),
    [
        ("rejected_ambiguous", "answered", Evidence.BLOCKED),
        ("rejected_ambiguous", "no_answer", Evidence.BLOCKED),
        ("rejected_ambiguous", "user_declined", Evidence.BLOCKED),
        ("unreachable", "answered", Evidence.BLOCKED),
        ("analytics_suspected", "answered", Evidence.BLOCKED),
        ("rejected_ambiguous", "rejected_ambiguous", Evidence.NONE),
        ("rejected_ambiguous", "unreachable", Evidence.NONE),
        ("analytics_suspected", "rejected_ambiguous", Evidence.NONE),
        ("rejected_ambiguous", "analytics_blocked", Evidence.NONE),
        ("analytics_suspected", "analytics_suspected", Evidence.NONE),
        ("rejected_ambiguous", "inconclusive", Evidence.AMBIGUOUS),
        ("analytics_suspected", "timed_out", Evidence.SUSPECTED),
        ("analytics_blocked", "answered", Evidence.BLOCKED),
        ("analytics_blocked", "rejected_ambiguous", Evidence.BLOCKED),
        ("user_declined", "answered", Evidence.THROUGH),
        ("invalid_number", "answered", Evidence.NONE),
    ],
)
def test_a_control_call_settles_what_was_open_and_nothing_else(refused, control, evidence):
    assert evidence is settled(Disposition(refused), Disposition(control))
