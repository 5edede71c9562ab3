"""Calls of one pattern are judged alike, so that one of them can be judged for all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.call import Ending
from probe.sip.response import response_of
from probe.verdict import Heard, judge
from probe.verdict.alike import pattern_of
from probe.verdict.rules import PERSON_MS, RING_OUT_MS

EDGES = [edge + step for edge in (0, PERSON_MS, RING_OUT_MS) for step in (-1, -0.5, 0, 0.5, 1)]
TIMES = st.one_of(st.none(), st.sampled_from([ms for ms in EDGES if ms >= 0]), st.floats(0, 60_000))
STATUSES = st.sampled_from([200, 302, 403, 404, 408, 480, 486, 487, 503, 600, 603, 607, 608, 699])
HEADERS = st.sampled_from(
    [
        (),
        (("Reason", "Q.850;cause=17"),),
        (("Reason", "Q.850;cause=21;location=LN"),),
        (("Reason", "Q.850;cause=16"), ("Server", "Asterisk PBX 20")),
        (("Reason", 'SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r"'),),
        (("Retry-After", "60"),),
    ]
)
PHRASES = st.sampled_from(["Decline", "Network Blocked", "", "Number blocked by policy", "\x1b"])


def judged(status, phrase, headers, times):
    alerting_ms, early_media_ms, final_ms = times
    verdict = judge(
        Heard(
            response=response_of(status, phrase, headers),
            ending=Ending.ANSWERED if status < 300 else Ending.REFUSED,
            alerting_ms=alerting_ms,
            early_media_ms=early_media_ms,
            final_ms=final_ms,
            provisional_seen=alerting_ms is not None or early_media_ms is not None,
        )
    )
    return verdict.disposition, verdict.confidence, verdict.flags, verdict.notice


@settings(max_examples=3_000)
@given(st.tuples(STATUSES, PHRASES, HEADERS), st.tuples(TIMES, TIMES, TIMES), st.tuples(TIMES, TIMES, TIMES))
def test_calls_of_one_pattern_are_judged_alike(said, times, others):
    if pattern_of(*times) == pattern_of(*others):
        assert judged(*said, times) == judged(*said, others)


@settings(max_examples=1_000)
@given(st.tuples(STATUSES, PHRASES, HEADERS), st.tuples(TIMES, TIMES, TIMES), st.floats(0, 60_000), st.integers(0, 2))
def test_a_time_that_is_moved_within_the_pattern_changes_nothing(said, times, moved, which):
    other = [moved if at == which and ms is not None else ms for at, ms in enumerate(times)]
    if pattern_of(*times) == pattern_of(*other):
        assert judged(*said, times) == judged(*said, other)


def test_a_pattern_tells_apart_what_the_rules_tell_apart():
    assert pattern_of(None, None, PERSON_MS) != pattern_of(None, None, PERSON_MS + 1)
    assert pattern_of(100, None, 100 + PERSON_MS) != pattern_of(100, None, 99 + PERSON_MS)
    assert len({pattern_of(*times) for times in ((None, None, None), (1, None, None), (None, 1, None))}) == 3
