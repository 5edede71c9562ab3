"""What calls add up to is kept call by call, in their transactions, and equals what all of them add up to at once."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from booked import BOOKS, CALLEES, CALLER, CALLERS, CONTROL, HOUR, KINDS, OTHER, SECOND, a_call, books, rebuilt
from databases import on_sqlite, opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from placed import START
from sqlalchemy import event, select

from probe.call import Ending
from probe.health import Dimension
from probe.health.redress import Step
from probe.judged import judge_call
from probe.store import judging, rows, standing
from probe.store.schema import account, call, message, share, stale, tally
from probe.store.stale import mark_stale


def finish(store, judged):
    assert store.begin(judged.record.request, judged.record.started_at)
    return store.finish(judged)


def finish_all(store, *kinds, **given):
    return [finish(store, a_call(number, kind, **given)) for number, kind in enumerate(kinds)]


# One call, in the transaction of its facts.


def test_a_call_is_added_up_as_it_ends(store):
    finish(store, a_call(0, "answered", callee=CALLEES[0]))
    finish(store, a_call(1, "blocked", callee=CALLEES[0]))
    network, whole = store.standings()
    assert (CALLER, "verizon", 2, 1) == (network.caller, network.network, network.judged, network.blocked)
    assert (CALLER, None, 2, 1) == (whole.caller, whole.network, whole.judged, whole.blocked)
    [counted] = [one for one in store.tallies() if one.dimension is Dimension.DESTINATION]
    assert (CALLEES[0], 2, 1, 1) == (counted.value, counted.calls, counted.blocked, counted.through)
    [case] = store.cases()
    assert ("redress.example.com", 1, ("verizon",)) == (case.blocker, case.count, case.networks)


def test_a_call_that_the_guard_refused_is_added_to_nothing(store, make_request, make_record):
    store.refuse(judge_call(make_record(make_request(), ending=Ending.GUARDED, messages=(), detail="hours: late")))
    assert {table.name: [] for table in BOOKS} == books(store)


def test_a_finish_that_fails_leaves_the_books_as_they_were(store):
    finish_all(store, "answered", "blocked", "blocked")
    before, judged = books(store), a_call(3, "blocked")
    store.begin(judged.record.request, judged.record.started_at)

    def fail(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.finish(judged, fail, "https://hooks.example.com")
    assert before == books(store)
    store.finish(judged)
    assert before != books(store) == rebuilt(store)


def test_a_change_is_given_back_once(store):
    changed = finish_all(store, *["blocked"] * 8)
    told = [(one.after.network, one.after.standing) for changes in changed for one in changes]
    assert [("verizon", "blocked"), (None, "blocked")] == told[-2:]
    assert len(told) == len(set(told))
    assert [(), (), ()] == changed[5:]


def test_a_call_without_a_network_is_added_to_the_whole_alone(store):
    finish(store, a_call(0, network=None))
    assert [None] == [one.network for one in store.standings()]


def test_times_and_texts_are_added_up_as_they_are_stored(store):
    """Midnight in another zone is another day, and no database takes NUL."""
    judged = a_call(0, lead_source="web\0\udc80", tags=("a\0",), at=START.astimezone(None))
    finish(store, judged)
    assert books(store) == rebuilt(store)
    assert "web\\x00\\udc80" in {one.value for one in store.tallies()}


# Control calls.


def test_a_control_call_settles_the_refused_call_of_another_caller(store):
    for number in range(0, 6, 2):
        finish(store, a_call(number, "ambiguous"))
        finish(store, a_call(number + 1, caller=CONTROL, control_of=f"call-{number:03}"))
    blocked, through = [one for one in store.standings() if one.network is None][::-1]
    assert (CALLER, 3, 3) == (blocked.caller, blocked.judged, blocked.blocked)
    assert (CONTROL, 3, 0) == (through.caller, through.judged, through.blocked)
    assert books(store) == rebuilt(store)


def test_a_control_call_tells_of_the_number_that_it_settled(store):
    changes = []
    for number in range(0, 6, 2):
        finish(store, a_call(number, "ambiguous"))
        changes += finish(store, a_call(number + 1, caller=CONTROL, control_of=f"call-{number:03}"))
    assert (CALLER, "blocked") == (changes[-1].after.caller, changes[-1].after.standing)


def test_a_control_call_settles_nothing_that_had_not_ended_before(store):
    """No plan asks for a control call before the refusal; another program's calls may come in any order."""
    control = a_call(1, caller=CONTROL, control_of="call-000")
    finish(store, control)
    finish(store, a_call(0, "ambiguous"))
    assert 0 == next(one.blocked for one in store.standings([CALLER]))
    assert books(store) == rebuilt(store)


def test_a_control_call_may_come_from_the_same_caller_on_another_network(store):
    finish(store, a_call(0, "ambiguous"))
    finish(store, a_call(1, control_of="call-000", network="att"))
    assert {"verizon": 1, "att": 0, None: 1} == {one.network: one.blocked for one in store.standings()}
    assert books(store) == rebuilt(store)


# Order.


def test_calls_are_added_up_in_the_order_in_which_their_ends_became_known(store):
    """Two that ended the other way round, two at the same moment, and one that ended before all (a clock set back)."""
    ends = [5, 3, 7, 7, -90_000]
    for number, (kind, seconds) in enumerate(zip(["blocked", "answered"] * 2 + ["suspected"], ends, strict=True)):
        judged = a_call(9 - number, kind, at=START)
        finish(store, judge_call(replace(judged.record, ended_at=START + seconds * SECOND)))
    told = [one.call_id for one in store.observations(CALLER)]
    assert ["call-009", "call-008", "call-007", "call-006", "call-005"] == told
    assert books(store) == rebuilt(store)


def test_what_ended_in_order_has_no_place_noted(store):
    finish_all(store, *["answered"] * 5)
    with store._database.reading() as connection:
        assert {None} == set(connection.execute(select(call.c.counted_at)).scalars())


# Late facts.


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_facts_that_come_late_are_counted_in_the_place_of_the_guess(store, kind):
    finish_all(store, "answered", "blocked", "answered")
    late = a_call(3, kind, callee=CALLEES[1])
    store.begin(late.record.request, late.record.started_at)
    store.mark_lost(START + HOUR)
    finish(store, a_call(4, at=START + 2 * HOUR))
    assert (5, 1) == (sum(whole(store).dispositions.values()), whole(store).inconclusive)
    store.finish(late)
    assert 5 == sum(whole(store).dispositions.values())
    assert int(kind == "failed") == whole(store).inconclusive
    assert books(store) == rebuilt(store)


def whole(store):
    return next(one for one in store.standings([CALLER]) if one.network is None)


def test_a_late_control_call_settles_what_it_was_for(store):
    finish(store, a_call(0, "ambiguous"))
    late = a_call(1, caller=CONTROL, control_of="call-000")
    store.begin(late.record.request, late.record.started_at)
    store.mark_lost(START + HOUR)
    assert 0 == whole(store).blocked
    store.finish(late)
    assert 1 == whole(store).blocked
    assert books(store) == rebuilt(store)


def test_a_late_call_tells_what_it_changed(store):
    late = [a_call(number, "blocked") for number in range(8)]
    for judged in late:
        store.begin(judged.record.request, judged.record.started_at)
    store.mark_lost(START + HOUR)
    told = [(one.after.network, one.after.standing) for judged in late for one in store.finish(judged)]
    assert [("verizon", "blocked"), (None, "blocked")] == told[-2:]
    assert len(told) == len(set(told))


# Other rulesets.


def test_a_call_is_not_added_to_what_another_ruleset_added_up(store):
    finish_all(store, "blocked", "answered", "blocked")
    expected = books(store)
    with store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE opinion SET ruleset = 'older', disposition = 'answered', contacts = NULL")
        connection.exec_driver_sql("UPDATE account SET ruleset = 'older'")
    finish(store, a_call(3, caller=OTHER))
    assert books(store) != expected
    finish(store, a_call(4, "answered"))
    assert 2 == whole(store).blocked
    assert books(store) == rebuilt(store)
    with store._database.reading() as connection:
        assert [] == list(judging.old_ranges(store._database))
        assert () == tuple(connection.execute(select(stale)))


# Two processes.

FINISH = """
import sys
from dataclasses import replace
sys.path[:0] = {path!r}
from placed import BLOCKED, START, answered, refused
from datetime import timedelta
from probe.store import open_store
store = open_store({url!r})
sys.stdin.readline()
for n in range(40):
    given = dict(id=f"{me}-{{n}}", plan_key=f"{me}-{{n}}", network="att" if n % 3 else None)
    given["at"] = START + timedelta(seconds=n)
    judged = refused(*BLOCKED, **given) if n % 4 == {turn} else answered(**given)
    assert store.begin(judged.record.request, judged.record.started_at)
    store.finish(judged)
"""


@on_sqlite
def test_two_processes_that_end_calls_of_one_number_lose_none(store, url):
    scripts = [FINISH.format(path=sys.path, url=url, me=me, turn=turn) for turn, me in enumerate("ab")]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", script], **pipes) for script in scripts]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert ["", ""] == [process.communicate(timeout=100)[1] for process in processes]
    assert (80, 20) == (whole(store).judged, whole(store).blocked)
    assert books(store) == rebuilt(store)


# The property: whatever happens in whatever order, what is kept call by call is what all calls add up to.


def hurry(connection, _):
    connection.execute("PRAGMA synchronous = OFF")


class World:
    """A store, a clock that may be set back, calls under way, and a person who keeps the book of redress."""

    def __init__(self, url):
        self.store, self.now, self.latest = opened(url, "in a hurry"), START, START
        if url.startswith("sqlite"):
            event.listen(self.store._database.engine, "connect", hurry)
            self.store._database.engine.dispose()
        self.begun, self.lost, self.numbers = [], [], 0

    def begin(self, caller, callee, network, kind, control_of):
        given = {"caller": CALLERS[caller], "callee": CALLEES[callee], "network": network, "at": self.now}
        refused = f"call-{self.numbers - control_of:03}" if control_of else None
        judged = a_call(self.numbers, kind, **given | {"control_of": refused})
        assert self.store.begin(judged.record.request, self.now)
        self.begun.append(judged)
        self.numbers += 1

    def end(self, which, seconds):
        if self.begun:
            judged = self.begun.pop(which % len(self.begun))
            ended = judged.record.started_at + seconds * SECOND
            self.store.finish(judge_call(replace(judged.record, ended_at=ended)))

    def lose(self):
        """The process dies, and the next one finds the calls; some of their facts turn up later."""
        self.time(3_600)
        self.store.mark_lost(self.now)
        self.lost += self.begun
        self.begun = []

    def find(self, which):
        if self.lost:
            self.store.finish(self.lost.pop(which % len(self.lost)))

    def bring(self, caller, kind, minutes):
        """A call of another program is imported, older or newer than what is there."""
        at = self.now + minutes * timedelta(minutes=1)
        judged = a_call(self.numbers, kind, caller=CALLERS[caller], at=at)
        record = replace(judged.record, imported="dialer")
        self.numbers += 1
        with self.store._database.writing() as connection:
            row = rows.request_row(record.request) | rows.ending_row(replace(judged, record=record))
            connection.execute(call.insert().values(row))
            judging.add_opinions(connection, [judged])
            if record.messages:
                connection.execute(message.insert(), rows.message_rows(record))
            mark_stale(connection, [record.request.caller])

    def note(self, caller, step):
        """A person notes what was done; that is later than every call that was known."""
        self.store.note_case(CALLERS[caller], None, step, self.latest)

    def read(self):
        self.store.standings()

    def time(self, seconds):
        self.now += seconds * SECOND
        self.latest = max(self.latest, self.now) + SECOND


CALL = (st.sampled_from([0, 0, 1, 2]), st.integers(0, 1), st.sampled_from([None, "verizon", "att"]))
KIND = st.sampled_from([*sorted(KINDS), "answered", "blocked", "ambiguous"])
STEPS = st.one_of(
    st.tuples(st.just("begin"), *CALL, KIND, st.sampled_from([0, 0, 0, 1, 2])),
    st.tuples(st.just("begin"), *CALL, KIND, st.sampled_from([0, 1])),
    st.tuples(st.just("end"), st.integers(0, 5), st.integers(0, 90)),
    st.tuples(st.just("end"), st.just(0), st.just(1)),
    st.tuples(st.just("lose")),
    st.tuples(st.just("find"), st.integers(0, 5)),
    st.tuples(st.just("bring"), st.integers(0, 2), KIND, st.integers(-120, 10)),
    st.tuples(st.just("note"), st.integers(0, 1), st.sampled_from(Step)),
    st.tuples(st.just("read")),
    st.tuples(st.just("time"), st.integers(-60, 600)),
)


def live(url, steps):
    """What happened, and what calls add up to after it, three times over: kept, made again, made from nothing."""
    world = World(url)
    for name, *values in steps:
        getattr(world, name)(*values)
    world.store.make_current()
    kept, others = books(world.store), world.store.tallies()
    assert kept == rebuilt(world.store)
    with world.store._database.writing() as connection:
        for table in (account, tally, share):
            connection.execute(table.delete())
    assert kept == rebuilt(world.store)
    assert sorted(others) == sorted(world.store.tallies())
    world.store.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=8, max_size=40))
def test_whatever_happens_the_books_are_what_all_calls_add_up_to(emptied_file, steps):
    emptied_file.empty()
    live(emptied_file.url, steps)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=20, max_size=40))
def test_whatever_happens_the_books_are_the_same_on_a_server(emptied, steps):
    emptied.empty()
    live(emptied.url, steps)


def test_what_comes_in_order_is_never_added_up_again(store, monkeypatch):
    """A property that holds because every call adds up everything again would be worth nothing."""
    monkeypatch.setattr(standing, "rebuild", None)
    finish_all(store, "answered", "blocked", "ambiguous", "failed", "busy")
    finish(store, a_call(5, caller=CONTROL, control_of="call-002"))
    assert 2 == whole(store).blocked
