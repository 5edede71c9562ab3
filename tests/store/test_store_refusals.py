"""What was not placed, counted by the rule that refused."""

from datetime import timedelta

from probe.scenario.guard import Refusal


def test_refusals_are_counted_by_rule_with_the_latest_reason(store, make_request, now):
    for minute, rule, why in ((0, "hours", "it was early"), (1, "per_caller", "full"), (2, "hours", "it was late")):
        refused = Refusal(request=make_request(f"call-{minute}"), rule=rule, why=why)
        assert 1 == store.refuse_all([refused], now + timedelta(minutes=minute))
    found = {one.rule: one for one in store.refused_by_rule(now)}
    assert {"hours": 2, "per_caller": 1} == {rule: one.calls for rule, one in found.items()}
    assert ("it was late", now + timedelta(minutes=2)) == (found["hours"].why, found["hours"].at)


def test_what_is_older_and_what_was_placed_counts_for_nothing(store, make_request, now):
    store.refuse_all([Refusal(request=make_request("old"), rule="hours", why="early")], now - timedelta(days=8))
    placed = make_request("placed")
    store.begin(placed, now)
    assert () == store.refused_by_rule(now - timedelta(days=7))
