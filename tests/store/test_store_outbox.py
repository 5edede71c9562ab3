from datetime import timedelta

import pytest

from probe.errors import StoreError
from probe.event import Delivery, DeliveryState
from probe.judged import judge_call
from probe.store import open_store

HOOK = "https://hooks.example.com/${TOKEN}"
OTHER = "https://other.example.com/"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def queue(store, now):
    """Queue events for HOOK, the way a round does."""
    store.begin_round("round-1", "health", now, 0)
    return lambda *events, to=HOOK: store.finish_round("round-1", now, {}, [(event, to) for event in events])


def ids(deliveries) -> list[str]:
    return [one.event.id for one in deliveries]


def test_an_event_is_written_with_the_fact_that_caused_it(store, make_request, make_record, make_event, now):
    record = make_record(make_request())
    store.begin(record.request, record.started_at)
    store.finish(judge_call(record), [make_event(subject="+12025550101")], HOOK)
    expected = Delivery(
        event=make_event(subject="+12025550101"),
        endpoint=HOOK,
        state=DeliveryState.WAITING,
        attempts=0,
        next_try_at=None,
        ended_at=None,
        reason=None,
    )
    assert store.outbox.pending(HOOK, now) == (expected,)
    assert store.outbox.pending(OTHER, now) == ()


def test_a_refused_call_can_cause_an_event(store, make_request, make_record, make_event, now):
    store.refuse(judge_call(make_record(make_request())), [make_event()], HOOK)
    assert ids(store.outbox.pending(HOOK, now)) == ["msg-1"]


def test_without_an_endpoint_nobody_is_told(store, make_request, make_record, make_event):
    store.refuse(judge_call(make_record(make_request())), [make_event()], None)
    assert store.outbox.deliveries() == ()


def test_what_waits_comes_in_the_order_in_which_it_became_a_fact(store, queue, make_event, now):
    queue(make_event("z"), make_event("a"))
    queue(make_event("m"))
    assert ids(store.outbox.pending(HOOK, now)) == ["z", "a", "m"]
    assert store.outbox.waiting(HOOK) == 3


def test_an_event_waits_behind_an_earlier_one_of_its_subject_for_the_same_endpoint(store, queue, make_event, now):
    first, second = make_event("first", "+1"), make_event("second", "+1")
    queue(first, to=OTHER)
    queue(second, make_event("stranger", "+2"), make_event("third", "+1"))
    assert ids(store.outbox.pending(HOOK, now)) == ["second", "stranger"]
    claimed = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    assert ids(store.outbox.pending(HOOK, now)) == ["stranger"]
    store.outbox.mark_delivered(claimed, now)
    assert ids(store.outbox.pending(HOOK, now)) == ["stranger", "third"]


def test_a_delivery_is_claimed_once_and_counts_as_an_attempt(store, queue, url, make_event, now):
    queue(make_event())
    (waiting,) = store.outbox.pending(HOOK, now)
    other = open_store(url)
    assert store.outbox.claim(waiting, now, now + MINUTE).attempts == 1
    assert other.outbox.claim(waiting, now, now + MINUTE) is None
    assert other.outbox.pending(HOOK, now) == ()
    other.close()


def test_a_claim_runs_out(store, queue, make_event, now):
    queue(make_event())
    (waiting,) = store.outbox.pending(HOOK, now)
    store.outbox.claim(waiting, now, now + MINUTE)
    assert store.outbox.pending(HOOK, now + MINUTE / 2) == ()
    (again,) = store.outbox.pending(HOOK, now + MINUTE)
    assert store.outbox.claim(again, now + MINUTE, now + 2 * MINUTE).attempts == 2


def test_a_failure_after_the_claim_ran_out_leaves_the_new_claim_alone(store, queue, make_event, now):
    queue(make_event())
    slow = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    later = now + 2 * MINUTE
    store.outbox.claim(store.outbox.pending(HOOK, later)[0], later, later + MINUTE)
    store.outbox.mark_failed(slow, later, None, "answered 500")
    (kept,) = store.outbox.deliveries()
    assert (kept.state, kept.attempts, kept.reason) == (DeliveryState.WAITING, 2, None)


def test_what_was_taken_stays_taken_even_after_the_claim_ran_out(store, queue, make_event, now):
    queue(make_event())
    slow = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    later = now + 2 * MINUTE
    fast = store.outbox.claim(store.outbox.pending(HOOK, later)[0], later, later + MINUTE)
    store.outbox.mark_delivered(slow, later)
    store.outbox.mark_failed(fast, later, later + MINUTE, "answered 500")
    (kept,) = store.outbox.deliveries()
    assert (kept.state, kept.ended_at, kept.reason) == (DeliveryState.DELIVERED, later, None)


def test_a_failure_waits_for_its_next_try(store, queue, make_event, now):
    queue(make_event())
    claimed = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    store.outbox.mark_failed(claimed, now, now + MINUTE, "answered 500")
    assert store.outbox.pending(HOOK, now + MINUTE / 2) == ()
    (again,) = store.outbox.pending(HOOK, now + MINUTE)
    assert (again.attempts, again.reason, again.next_try_at) == (1, "answered 500", now + MINUTE)


def test_without_a_next_try_a_delivery_is_dead(store, queue, make_event, now):
    queue(make_event())
    claimed = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    store.outbox.mark_failed(claimed, now, None, "answered 500")
    (dead,) = store.outbox.deliveries(state=DeliveryState.DEAD)
    assert (dead.ended_at, dead.reason) == (now, "answered 500")
    assert store.outbox.waiting(HOOK) == 0


def test_a_disabled_endpoint_gets_nothing_more(store, queue, make_event, now):
    queue(make_event("before"))
    queue(make_event("elsewhere"), to=OTHER)
    store.outbox.disable_endpoint(HOOK, "answered 410", now)
    store.outbox.disable_endpoint(HOOK, "answered 410 again", now)
    queue(make_event("after"))
    assert store.outbox.pending(HOOK, now + MINUTE) == ()
    assert ids(store.outbox.pending(OTHER, now)) == ["elsewhere"]
    assert ids(store.outbox.deliveries(endpoint=HOOK, state=DeliveryState.DEAD)) == ["after", "before"]
    assert store.outbox.endpoint_disabled(HOOK) == "answered 410 again"
    assert store.outbox.endpoint_disabled(OTHER) is None


def test_a_replay_makes_events_wait_again_with_their_ids_and_enables_their_endpoint(store, queue, make_event, now):
    queue(make_event("one"), make_event("two"), make_event("three"))
    one = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    store.outbox.mark_delivered(one, now)
    store.outbox.disable_endpoint(HOOK, "answered 410", now)
    assert store.outbox.requeue(["one", "three", "nowhere"]) == 2
    assert store.outbox.endpoint_disabled(HOOK) is None
    again = store.outbox.pending(HOOK, now)
    assert [(one.event.id, one.attempts, one.reason) for one in again] == [("one", 0, None), ("three", 0, None)]


def test_a_replay_of_nothing_enables_nothing(store, queue, make_event, now):
    queue(make_event())
    store.outbox.disable_endpoint(HOOK, "answered 410", now)
    assert store.outbox.requeue([]) == 0
    assert store.outbox.endpoint_disabled(HOOK) == "answered 410"


def test_deliveries_are_listed_newest_first(store, queue, make_event):
    queue(make_event("1"), make_event("2"), make_event("3"))
    queue(make_event("4"), to=OTHER)
    assert ids(store.outbox.deliveries()) == ["4", "3", "2", "1"]
    assert ids(store.outbox.deliveries(limit=2)) == ["4", "3"]
    assert ids(store.outbox.deliveries(endpoint=HOOK, limit=1)) == ["3"]


def test_one_event_for_two_endpoints_is_one_event(store, queue, make_event, now):
    queue(make_event())
    queue(make_event(), to=OTHER)
    store.outbox.mark_delivered(store.outbox.pending(HOOK, now)[0], now)
    assert ids(store.outbox.pending(OTHER, now)) == ["msg-1"]


def test_an_event_is_found_by_the_beginning_of_its_id(store, queue, make_event):
    queue(make_event("msg-1"), make_event("msg-2"))
    assert store.outbox.event("msg-2") == make_event("msg-2")
    with pytest.raises(StoreError, match="more than one event has an id that begins with 'msg'; give more of the id"):
        store.outbox.event("msg")
    with pytest.raises(StoreError, match="no event has an id that begins with 'x'; list them to see the ids"):
        store.outbox.event("x")
