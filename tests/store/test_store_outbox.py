from datetime import timedelta
from itertools import count

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
    numbers = count()

    def queue(*events, to=HOOK):
        store.begin_round(round_id := f"round-{next(numbers)}", "health", now, 0)
        store.finish_round(round_id, now, {}, [(event, to) for event in events])

    return queue


def ids(deliveries) -> list[str]:
    return [one.event.id for one in deliveries]


def test_an_event_is_written_with_the_fact_that_caused_it(store, make_request, make_record, make_event, now):
    record = make_record(make_request())
    store.begin(record.request, record.started_at)
    store.finish(judge_call(record), lambda *_: [make_event(subject="+12025550101")], HOOK)
    expected = Delivery(
        event=make_event(subject="+12025550101"),
        endpoint=HOOK,
        state=DeliveryState.WAITING,
        attempts=0,
        next_try_at=None,
        ended_at=None,
        reason=None,
    )
    assert (expected,) == store.outbox.pending(HOOK, now)
    assert () == store.outbox.pending(OTHER, now)


def test_without_an_endpoint_nobody_is_told(store, make_request, make_record, make_event):
    record = make_record(make_request())
    store.begin(record.request, record.started_at)
    store.finish(judge_call(record), lambda *_: [make_event()], None)
    assert () == store.outbox.deliveries()


def test_what_waits_comes_in_the_order_in_which_it_became_a_fact(store, queue, make_event, now):
    queue(make_event("z"), make_event("a"))
    queue(make_event("m"))
    assert ["z", "a", "m"] == ids(store.outbox.pending(HOOK, now))
    assert 3 == store.outbox.waiting(HOOK)


def test_an_event_waits_behind_an_earlier_one_of_its_subject_for_the_same_endpoint(store, queue, make_event, now):
    first, second = make_event("first", "+1"), make_event("second", "+1")
    queue(first, to=OTHER)
    queue(second, make_event("stranger", "+2"), make_event("third", "+1"))
    assert ["second", "stranger"] == ids(store.outbox.pending(HOOK, now))
    claimed = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    assert ["stranger"] == ids(store.outbox.pending(HOOK, now))
    store.outbox.mark_delivered(claimed, now)
    assert ["stranger", "third"] == ids(store.outbox.pending(HOOK, now))


def test_a_delivery_is_claimed_once_and_counts_as_an_attempt(store, queue, url, make_event, now):
    queue(make_event())
    (waiting,) = store.outbox.pending(HOOK, now)
    other = open_store(url)
    assert 1 == store.outbox.claim(waiting, now, now + MINUTE).attempts
    assert other.outbox.claim(waiting, now, now + MINUTE) is None
    assert () == other.outbox.pending(HOOK, now)
    other.close()


def test_a_claim_runs_out(store, queue, make_event, now):
    queue(make_event())
    (waiting,) = store.outbox.pending(HOOK, now)
    store.outbox.claim(waiting, now, now + MINUTE)
    assert () == store.outbox.pending(HOOK, now + MINUTE / 2)
    (again,) = store.outbox.pending(HOOK, now + MINUTE)
    assert 2 == store.outbox.claim(again, now + MINUTE, now + 2 * MINUTE).attempts


def test_a_failure_after_the_claim_ran_out_leaves_the_new_claim_alone(store, queue, make_event, now):
    queue(make_event())
    slow = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    later = now + 2 * MINUTE
    store.outbox.claim(store.outbox.pending(HOOK, later)[0], later, later + MINUTE)
    store.outbox.mark_failed(slow, later, None, "answered 500")
    (kept,) = store.outbox.deliveries()
    assert (DeliveryState.WAITING, 2, None) == (kept.state, kept.attempts, kept.reason)


def test_what_was_taken_stays_taken_even_after_the_claim_ran_out(store, queue, make_event, now):
    queue(make_event())
    slow = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    later = now + 2 * MINUTE
    fast = store.outbox.claim(store.outbox.pending(HOOK, later)[0], later, later + MINUTE)
    store.outbox.mark_delivered(slow, later)
    store.outbox.mark_failed(fast, later, later + MINUTE, "answered 500")
    (kept,) = store.outbox.deliveries()
    assert (DeliveryState.DELIVERED, later, None) == (kept.state, kept.ended_at, kept.reason)


def test_a_failure_waits_for_its_next_try(store, queue, make_event, now):
    queue(make_event())
    claimed = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    store.outbox.mark_failed(claimed, now, now + MINUTE, "answered 500")
    assert () == store.outbox.pending(HOOK, now + MINUTE / 2)
    (again,) = store.outbox.pending(HOOK, now + MINUTE)
    assert (1, "answered 500", now + MINUTE) == (again.attempts, again.reason, again.next_try_at)


def test_without_a_next_try_a_delivery_is_dead(store, queue, make_event, now):
    queue(make_event())
    claimed = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    store.outbox.mark_failed(claimed, now, None, "answered 500")
    (dead,) = store.outbox.deliveries(state=DeliveryState.DEAD)
    assert (now, "answered 500") == (dead.ended_at, dead.reason)
    assert 0 == store.outbox.waiting(HOOK)


def test_a_disabled_endpoint_gets_nothing_more(store, queue, make_event, now):
    queue(make_event("before"))
    queue(make_event("elsewhere"), to=OTHER)
    store.outbox.disable_endpoint(HOOK, "answered 410", now)
    store.outbox.disable_endpoint(HOOK, "answered 410 again", now)
    queue(make_event("after"))
    assert () == store.outbox.pending(HOOK, now + MINUTE)
    assert ["elsewhere"] == ids(store.outbox.pending(OTHER, now))
    assert ["after", "before"] == ids(store.outbox.deliveries(endpoint=HOOK, state=DeliveryState.DEAD))
    assert "answered 410 again" == store.outbox.endpoint_disabled(HOOK)
    assert store.outbox.endpoint_disabled(OTHER) is None


def test_a_replay_makes_events_wait_again_with_their_ids_and_enables_their_endpoint(store, queue, make_event, now):
    queue(make_event("one"), make_event("two"), make_event("three"))
    one = store.outbox.claim(store.outbox.pending(HOOK, now)[0], now, now + MINUTE)
    store.outbox.mark_delivered(one, now)
    store.outbox.disable_endpoint(HOOK, "answered 410", now)
    assert 2 == store.outbox.requeue(["one", "three", "nowhere"])
    assert store.outbox.endpoint_disabled(HOOK) is None
    again = store.outbox.pending(HOOK, now)
    assert [("one", 0, None), ("three", 0, None)] == [(one.event.id, one.attempts, one.reason) for one in again]


def test_more_events_than_a_statement_takes_can_be_replayed(store, queue, make_event):
    queue(*(make_event(f"{n}") for n in range(5)))
    assert 5 == store.outbox.requeue([f"{n}" for n in range(40_000)])


def test_a_replay_of_nothing_enables_nothing(store, queue, make_event, now):
    queue(make_event())
    store.outbox.disable_endpoint(HOOK, "answered 410", now)
    assert 0 == store.outbox.requeue([])
    assert "answered 410" == store.outbox.endpoint_disabled(HOOK)


def test_deliveries_are_listed_newest_first(store, queue, make_event):
    queue(make_event("1"), make_event("2"), make_event("3"))
    queue(make_event("4"), to=OTHER)
    assert ["4", "3", "2", "1"] == ids(store.outbox.deliveries())
    assert ["4", "3"] == ids(store.outbox.deliveries(limit=2))
    assert ["3"] == ids(store.outbox.deliveries(endpoint=HOOK, limit=1))


def test_one_event_for_two_endpoints_is_one_event(store, queue, make_event, now):
    queue(make_event())
    queue(make_event(), to=OTHER)
    store.outbox.mark_delivered(store.outbox.pending(HOOK, now)[0], now)
    assert ["msg-1"] == ids(store.outbox.pending(OTHER, now))


def test_an_event_is_found_by_the_beginning_of_its_id(store, queue, make_event):
    queue(make_event("msg-1"), make_event("msg-2"))
    assert make_event("msg-2") == store.outbox.event("msg-2")
    with pytest.raises(StoreError, match="more than one event has an id that begins with 'msg'; give more of the id"):
        store.outbox.event("msg")
    with pytest.raises(StoreError, match="no event has an id that begins with 'x'; list them to see the ids"):
        store.outbox.event("x")
