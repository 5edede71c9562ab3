"""`probe prune`: what goes, what stays, and how it is told."""

from datetime import UTC, datetime, timedelta

import pytest
from placed import BLOCKED, answered, refused

from probe.health.redress import Step
from probe.store import open_store

NOW = datetime.now(UTC)


def ago(days):
    return NOW - timedelta(days=days)


@pytest.fixture
def store(probe):
    opened = open_store(probe.environment["PROBE_STORE"])
    for judged in (
        answered(id="through", plan_key="1", at=ago(100)),
        refused(*BLOCKED, id="blocked", plan_key="2", at=ago(99)),
        refused(*BLOCKED, id="long-ago", plan_key="3", at=ago(401), caller="+12025550102"),
    ):
        opened.begin(judged.record.request, judged.record.started_at)
        opened.finish(judged)
    yield opened
    opened.close()


def with_messages(store):
    return {record.request.id for record in store.calls() if record.messages}


def test_the_defaults_keep_failures_longer(probe, store):
    said = probe("prune")
    assert 0 == said.code
    assert said.out.startswith("2 calls: ")
    assert "of raw messages dropped; verdicts, notices and counts stay." in said.out
    assert {"blocked"} == with_messages(store)


def test_a_dry_run_says_what_would_go_and_nothing_goes(probe, store):
    said = probe("prune", "--dry-run", "--json").json
    assert {"dry_run": True, "calls": 2, "bytes": said["bytes"], "held": 0} == said
    assert said["bytes"] > 1_000
    assert "2 calls: " in (words := probe("prune", "--dry-run").out)
    assert "would be dropped" in words
    assert {"through", "blocked", "long-ago"} == with_messages(store)
    assert said | {"dry_run": False} == probe("prune", "--json").json


@pytest.mark.usefixtures("store")
def test_days_are_for_the_user_to_say(probe):
    assert 3 == probe("prune", "--keep-days", "30", "--keep-failures-days", "30", "--json").json["calls"]
    assert 2 == probe("prune", "--keep-days", "0").code
    assert 0 == probe("prune", "--keep-days", "1000000000", "--keep-failures-days", "1000000000").code


def test_what_redress_needs_is_held_and_told(probe, store):
    (case,) = store.cases("+12025550102")
    store.note_case(case.caller, case.blocker, Step.ASKED, ago(300))
    said = probe("prune")
    assert "1 more are old enough, but belong to a round under way or to redress that was asked for.\n" == said.err
    assert {"blocked", "long-ago"} == with_messages(store)


@pytest.mark.usefixtures("store")
def test_a_pruned_call_shows_all_but_its_messages(probe):
    before = probe("show", "long-ago")
    probe("prune")
    after = probe("show", "long-ago")
    kept = before.out[: before.out.index("\nLadder")]
    assert after.out.startswith(kept)
    assert "https://redress.example.com/r" in kept
    assert "They were dropped when their time was over; all above was read from them." in after.out
    assert probe("show", "blocked", "--json").json["timing"]["final_ms"] == 412
    assert before.code == after.code == 0
