import pytest

from probe.health import BLOCKED, Evidence, evidence_of, wilson
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


@pytest.mark.parametrize("total", [1, 7, 1000])
def test_the_interval_stays_within_nothing_and_all(total):
    assert 0.0 <= wilson(0, total)[0]
    assert 1.0 >= wilson(total, total)[1]


def test_three_dispositions_say_blocked():
    assert {"analytics_blocked", "subscriber_blocked", "provider_blocked"} == BLOCKED


@pytest.mark.parametrize(
    "disposition",
    [
        Disposition.REJECTED_AMBIGUOUS,
        Disposition.INCONCLUSIVE,
        Disposition.INVALID_NUMBER,
        Disposition.TRUNK_MISCONFIGURED,
        Disposition.UNREACHABLE,
        Disposition.NETWORK_FAILURE,
    ],
)
def test_what_is_ambiguous_or_about_others_is_no_evidence(disposition):
    assert Evidence.NONE is evidence_of(disposition)


@pytest.mark.parametrize("disposition", ["answered", "no_answer", "user_busy", "user_declined"])
def test_what_reached_the_called_party_got_through(disposition):
    assert Evidence.THROUGH is evidence_of(Disposition(disposition))
