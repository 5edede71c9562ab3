"""Raw messages go, what was read from them stays: verdicts, notices, times, counts."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from databases import on_sqlite
from placed import BLOCKED, SDP, START, SUSPECTED, answered, in_dialog, invite, refused, request, response
from sqlalchemy import func, select, update

from probe.call import CallRecord, Direction, Ending, Message
from probe.documents import call_document, standing_document
from probe.health.redress import Stage, Step
from probe.judged import judge_call
from probe.store import Keep
from probe.store.schema import message, opinion
from probe.store.stale import mark_stale

DATA = Path(__file__).parents[1] / "data"
SAMPLES = sorted(
    [*(DATA / "responses").glob("*.sip"), *(DATA / "corpus").glob("*.sip"), *(DATA / "rfc4475").glob("*.sip")]
)
DAY = timedelta(days=1)
NOW = START + 500 * DAY
KEEP = Keep()


def ago(days):
    return NOW - days * DAY


def put(store, *calls):
    for judged in calls:
        assert store.begin(judged.record.request, judged.record.started_at)
        store.finish(judged)


def prune(store, keep=KEEP, *, now=NOW, dry_run=False):
    """All steps of one pruning: calls, bytes, and calls held."""
    done = store.prune(keep, now, dry_run=dry_run)
    while done.last is not None:
        done = done.plus(store.prune(keep, now, done.last, dry_run=dry_run))
    return done.calls, done.bytes, done.held


def with_messages(store):
    """The ids of the calls that have raw messages."""
    return {record.request.id for record in store.calls() if record.messages}


def opinions(judged):
    """All that was read from a call's messages and is told of it."""
    return call_document(judged).plain(), judged.verdict, judged.notice


@pytest.fixture
def old_calls(store):
    """A call that got through and one that was blocked, of each of several ages in days; the id says which."""
    for days in (10, 89, 91, 399, 401):
        put(
            store,
            answered(id=f"through-{days}", plan_key=f"t{days}", at=ago(days)),
            refused(*BLOCKED, id=f"blocked-{days}", plan_key=f"b{days}", at=ago(days)),
        )
    return store


def test_failures_are_kept_longer_than_successes(old_calls):
    calls, size, held = prune(old_calls)
    assert (4, 0) == (calls, held)
    assert {"through-10", "through-89", "blocked-10", "blocked-89", "blocked-91", "blocked-399"} == with_messages(
        old_calls
    )
    assert size > 4 * 500


@pytest.mark.parametrize(
    ("judged", "kept"),
    [
        (answered(), False),
        (refused("486 Busy Here"), False),
        (refused("603 Decline", rang_ms=300, ms=4_000), False),
        (refused("603 Decline"), True),
        (refused(*SUSPECTED), True),
        (refused("404 Not Found"), True),
        (refused("503 Service Unavailable"), True),
    ],
)
def test_what_reached_the_called_party_got_through(store, judged, kept):
    put(store, replace(judged, record=replace(judged.record, started_at=ago(100), ended_at=ago(100))))
    prune(store)
    assert kept is bool(with_messages(store))


def test_how_long_is_for_the_user_to_say(old_calls):
    assert 1 + 4 == prune(old_calls, Keep(through=400 * DAY, others=30 * DAY))[0]
    assert {"through-10", "through-89", "through-91", "through-399", "blocked-10"} == with_messages(old_calls)


def test_a_dry_run_counts_the_same_and_drops_nothing(old_calls):
    before = with_messages(old_calls)
    counted = prune(old_calls, dry_run=True)
    assert before == with_messages(old_calls)
    assert counted == prune(old_calls)
    assert (0, 0, 0) == prune(old_calls)


def test_everything_that_is_told_of_a_call_is_told_as_before(old_calls):
    before = {record.request.id: opinions(judge_call(record)) for record in old_calls.calls()}
    standings = [standing_document(one).plain() for one in old_calls.standings()]
    tallies = set(old_calls.tallies())
    prune(old_calls)
    assert before == {record.request.id: opinions(judge_call(record)) for record in old_calls.calls()}
    assert standings == [standing_document(one).plain() for one in old_calls.standings()]
    assert tallies == set(old_calls.tallies())


def test_pruned_calls_can_be_added_up_again(old_calls):
    standings, tallies = old_calls.standings(), set(old_calls.tallies())
    prune(old_calls)
    with old_calls._database.writing() as connection:
        connection.execute(update(opinion).values(ruleset="older", disposition="inconclusive"))
        mark_stale(connection, ["+12025550101"])
    assert standings == old_calls.standings()
    assert tallies == set(old_calls.tallies())


# The verdict before is the verdict after.


def heard(*messages, ending=Ending.REFUSED, number=0):
    """A call of which these messages came in, half a second apart."""
    said = [
        Message(at_ms=500.0 * at + 7.25, direction=way, transport="udp", local="a:1", remote="b:2", raw=raw, cut=cut)
        for at, (way, raw, cut) in enumerate(messages)
    ]
    asked = request(id=f"call-{number}", plan_key=f"plan-{number}")
    record = CallRecord(request=asked, started_at=ago(450), ended_at=ago(450), ending=ending, messages=tuple(said))
    return judge_call(record)


def received(raw, *, cut=False):
    return Direction.RECEIVED, raw, cut


def ringing(final):
    """The 180 of the same far end: its headers under another status line."""
    return received(b"SIP/2.0 180 Ringing\r\n" + final.partition(b"\r\n")[2])


def said_in(path):
    """What a sample may have come as: alone, after ringing, and cut by the library."""
    raw = path.read_bytes()
    return [(received(raw),), (ringing(raw), received(raw)), (received(raw, cut=True),)]


def dialogs():
    """Calls of more than one response: answered, with BYEs of both sides, challenged, with early media."""
    asked = request()
    final, hung_up = response(asked, "200 OK", body=SDP), 'Reason: SIP;cause=607;text="Unwanted"'
    bye = in_dialog(asked, "BYE", sequence=2)
    unwanted = bye.replace(b"Content-Length: 0", f"{hung_up}\r\nContent-Length: 0".encode())
    sent, media = (Direction.SENT, invite(asked), False), response(asked, "183 Session Progress", body=SDP)
    yield (sent, received(final)), Ending.ANSWERED
    yield (sent, received(media), received(final), (Direction.SENT, bye, False)), Ending.ANSWERED
    yield (sent, received(final), received(bye)), Ending.ANSWERED
    yield (sent, received(final), received(unwanted)), Ending.ANSWERED
    yield (sent, received(response(asked, "407 Proxy Authentication Required")), received(media)), Ending.RING_LIMIT
    yield (sent, received(media), received(response(asked, "487 Request Terminated"))), Ending.RING_LIMIT
    yield (sent, received(response(asked, "100 Trying"))), Ending.NO_RESPONSE
    yield (sent, received(b"\x00 no sip at all")), Ending.NO_RESPONSE
    yield (sent,), Ending.NO_RESPONSE


EVERY = [(messages, Ending.REFUSED) for path in SAMPLES for messages in said_in(path)] + list(dialogs())


@on_sqlite
def test_any_call_means_after_pruning_what_it_meant_before(store):
    calls = [heard(*messages, ending=ending, number=number) for number, (messages, ending) in enumerate(EVERY)]
    put(store, *calls)
    before = {record.request.id: opinions(judge_call(record)) for record in store.calls()}
    assert len({str(one) for one in before.values()}) > len(SAMPLES)
    assert len(EVERY) == prune(store)[0]
    for record in store.calls():
        assert () == record.messages
        assert before[record.request.id] == opinions(judge_call(record))


def test_pruning_twice_is_pruning_once(old_calls):
    prune(old_calls)
    before = [opinions(judge_call(record)) for record in old_calls.calls()]
    assert (0, 0, 0) == prune(old_calls, Keep(through=DAY, others=410 * DAY), now=NOW - 400 * DAY)
    assert before == [opinions(judge_call(record)) for record in old_calls.calls()]


# What is still needed.


def case_of(store, caller):
    return next(case for case in store.cases(caller))


def test_the_messages_that_a_redress_desk_was_asked_about_are_held_until_it_clears_them(store):
    other = "+12025550102"
    put(
        store,
        refused(*BLOCKED, id="asked", plan_key="1", at=ago(450)),
        refused("603 Decline", id="unclear", plan_key="2", at=ago(449)),
        answered(id="through", plan_key="3", at=ago(448)),
        refused(*BLOCKED, id="other", plan_key="4", at=ago(450), caller=other),
    )
    case = case_of(store, "+12025550101")
    store.note_case(case.caller, case.blocker, Step.ASKED, ago(440))
    assert (2, 2) == (prune(store)[0], prune(store, dry_run=True)[2])
    assert {"asked", "unclear"} == with_messages(store)
    store.note_case(case.caller, case.blocker, Step.ANSWERED, ago(430))
    assert {"asked", "unclear"} == with_messages(store)
    store.note_case(case.caller, case.blocker, Step.CLEARED, ago(420))
    assert (2, 0) == (prune(store)[0], prune(store)[2])
    assert set() == with_messages(store)


def test_the_messages_of_a_block_that_came_back_are_held_for_the_desk_to_be_asked_again(store):
    put(store, refused(*BLOCKED, id="first", plan_key="1", at=ago(450)))
    case = case_of(store, "+12025550101")
    store.note_case(case.caller, case.blocker, Step.ASKED, ago(440))
    store.note_case(case.caller, case.blocker, Step.CLEARED, ago(430))
    put(store, refused(*BLOCKED, id="again", plan_key="2", at=ago(420)))
    assert case_of(store, "+12025550101").stage is Stage.BACK
    assert (0, 2) == prune(store)[::2]
    assert {"first", "again"} == with_messages(store)


def test_the_messages_of_a_round_under_way_are_held(store):
    """A round by the calendar may take months."""
    store.begin_round("quarterly", "health", ago(100), 2, planned_at=ago(100), ends_at=NOW + DAY)
    put(store, answered(id="this-round", plan_key="1", at=ago(95), round="quarterly"))
    put(store, answered(id="no-round", plan_key="2", at=ago(95)))
    assert (1, 1) == prune(store)[::2]
    assert {"this-round"} == with_messages(store)
    store.finish_round("quarterly", NOW, {})
    assert (1, 0) == prune(store)[::2]


def test_a_round_that_nobody_ended_holds_nothing(store):
    store.begin_round("killed", "health", ago(100), 1)
    put(store, answered(at=ago(95), round="killed"))
    assert (1, 0) == prune(store)[::2]


def test_an_opinion_of_an_older_ruleset_does_not_decide(store):
    put(store, refused(*BLOCKED, at=ago(100)))
    with store._database.writing() as connection:
        connection.execute(update(opinion).values(ruleset="older", disposition="answered"))
    assert 0 == prune(store)[0]
    assert 1 == len(with_messages(store))


def test_a_call_under_way_keeps_what_it_has(store, make_request):
    store.begin(make_request(), ago(450))
    assert (0, 0, 0) == prune(store)


def test_many_calls_go_in_steps_and_each_is_short(store, monkeypatch):
    monkeypatch.setattr("probe.store.pruning._PAGE", 10)
    put(store, *(answered(id=f"call-{n:02}", plan_key=f"{n}", at=ago(95 if n % 2 else 5)) for n in range(64)))
    first = store.prune(KEEP, NOW)
    assert (10, "call-19") == (first.calls, first.last)
    assert 32 - 10 == len({one for one in with_messages(store) if int(one[-2:]) % 2})
    assert 22 == prune(store)[0]
    with store._database.reading() as connection:
        left = connection.execute(select(func.count(message.c.call_id.distinct()))).scalar_one()
    assert 32 == left


def test_a_call_that_begins_while_pages_go_is_no_hindrance(store, monkeypatch, make_request):
    monkeypatch.setattr("probe.store.pruning._PAGE", 2)
    put(store, *(answered(id=f"call-{n}", plan_key=f"{n}", at=ago(95)) for n in range(6)))
    first = store.prune(KEEP, NOW)
    assert store.begin(make_request("call-3a"), NOW)
    assert 2 == store.prune(KEEP, NOW, first.last).calls
