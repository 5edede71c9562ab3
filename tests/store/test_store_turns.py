"""Several processes on one server: what calls add up to loses nothing, nobody waits for good, each event goes once."""

import subprocess
import sys

from booked import books
from databases import on_postgresql
from placed import START
from sqlalchemy import func, select, text

from probe.event import Event
from probe.store.locks import Lock, take_turn, take_turns_of
from probe.store.outbox import queue
from probe.store.schema import call

pytestmark = on_postgresql

CALLERS = tuple(f"+120255501{n:02}" for n in range(4))
HOOK = "https://hooks.example.com/"

SETTING = """
import random, sys, traceback
sys.path[:0] = {path!r}
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from placed import BLOCKED, START, answered, refused
from probe.errors import StoreError
from probe.event import Event
from probe.health.redress import Step
from probe.scenario.guard import Refusal
from probe.store import open_store
from probe.store.stale import mark_stale
from probe.store.store import tell_nothing
CALLERS, HOOK, DAY = {callers!r}, {hook!r}, timedelta(days=1)
store = open_store({url!r})
sys.stdin.readline()
"""

HAMMER = """
class Hand:
    def __init__(self, name):
        self.name, self.chance, self.numbers, self.refused = name, random.Random(name), 0, []

    def call(self):
        self.numbers += 1
        call_id, chance = f"{{self.name}}-{{self.numbers:03}}", self.chance
        fields = dict(id=call_id, plan_key=call_id, caller=chance.choice(CALLERS), network=chance.choice(["att", None]))
        fields["at"] = START + timedelta(seconds=chance.randrange(5_000))
        if self.refused and chance.random() < 0.3:
            return answered(**fields, control_of=self.refused.pop())
        if chance.random() < 0.5:
            return answered(**fields)
        words = chance.choice([BLOCKED, ("603 Decline",)])
        if words != BLOCKED:
            self.refused.append(call_id)
        return refused(*words, **fields)

    def end_some(self):
        calls = [self.call() for _ in range(self.chance.randrange(1, 5))]
        for one in calls:
            assert store.begin(one.record.request, one.record.started_at)
        if self.chance.random() < 0.2:
            store.mark_lost(START + DAY)  # all that are under way, those of others too: their facts come late
        self.chance.shuffle(calls)
        for outcome in store.finish_all([(one, tell_nothing, HOOK) for one in calls]):
            assert not isinstance(outcome, StoreError), outcome

    def refuse_some(self):
        asked = [self.call().record.request for _ in range(5)]
        self.chance.shuffle(asked)
        keys = [f"shared {{self.chance.randrange(30)}}" for _ in asked]
        from dataclasses import replace
        store.refuse_all([Refusal(request=replace(one, plan_key=key), rule="hours", why="late")
                          for one, key in zip(asked, keys)], START)

    def make_again(self):
        with store._database.writing() as connection:
            mark_stale(connection, self.chance.sample(CALLERS, 2))
        store.catch_up(set(CALLERS), START + DAY, tell_nothing, [HOOK])

    def note(self):
        store.note_case(self.chance.choice(CALLERS), None, self.chance.choice(list(Step)), START + 2 * DAY)

    def remind(self):
        store.remind(set(CALLERS), START, START + DAY, tell_nothing, [HOOK])

    def work(self):
        rest = [self.refuse_some, self.make_again, self.note, self.remind]
        for _ in range({steps}):
            self.chance.choice([self.end_some] * 6 + rest)()

with ThreadPoolExecutor(3) as threads:
    list(threads.map(Hand.work, [Hand(f"{me}{{n}}") for n in range(3)]))
print("done")
"""

POST = """
from sqlalchemy import text
while waiting := store.outbox.pending(HOOK, START):
    for one in waiting:
        claimed = store.outbox.claim(one, START, START + DAY)
        if claimed is not None:
            with store._database.writing() as connection:
                connection.execute(text("INSERT INTO posted (id) VALUES (:id)"), {"id": claimed.event.id})
            store.outbox.mark_delivered(claimed, START)
print("done")
"""


REFUSE = """
plans = [f"plan {{n}}" for n in range(300)]
random.Random({me!r}).shuffle(plans)
asked = [answered(id=f"{me} {{plan}}", plan_key=plan).record.request for plan in plans]
print(store.refuse_all([Refusal(request=one, rule="hours", why="late") for one in asked], START))
"""


def run_together(scripts):
    """Start processes, let them go at one moment, and give what each of them said."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", script], **pipes) for script in scripts]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=100)[0] for process in processes]


def setting(url):
    return SETTING.format(path=sys.path, callers=CALLERS, hook=HOOK, url=url)


def test_processes_that_end_calls_of_the_same_callers_lose_nothing_and_never_wait_for_each_other(store, url):
    """Batches, control calls, late facts, refusals, reminders, all at once; a deadlock would be an error of one."""
    scripts = [setting(url) + HAMMER.format(me=me, steps=16) for me in "ab"]
    assert ["done\n"] * 2 == run_together(scripts)
    store.make_current()
    kept = books(store)
    with store._database.reading() as connection:
        ended = connection.execute(
            select(func.count()).select_from(call).where(call.c.ending != "guarded")
        ).scalar_one()
        assert ended > 100
    store.rebuild_all(lambda *_: None)
    assert kept == books(store)


def test_processes_that_refuse_the_same_plans_at_once_write_each_once(store, url):
    """In another order each: who inserts what another one has inserted would wait for him."""
    said = run_together([setting(url) + REFUSE.format(me=me) for me in "ab"])
    assert 300 == sum(map(int, said)), said
    assert 300 == len(store.refusals(START))


def test_processes_that_deliver_from_one_outbox_deliver_each_event_once_and_each_numbers_in_order(store, url, now):
    """What is posted is noted by the receiver: a sequence of the server."""
    with store._database.writing() as connection:
        events = [
            (Event(id=f"{n:03}", type="call.blocked", timestamp=now, data={}, subject=CALLERS[n % 3]), HOOK)
            for n in range(90)
        ]
        queue(connection, events)
        connection.execute(text("CREATE TABLE posted (seq serial, id text)"))
    try:
        assert ["done\n"] * 2 == run_together([setting(url) + POST] * 2)
        with store._database.reading() as connection:
            posted = connection.execute(text("SELECT id FROM posted ORDER BY seq")).scalars().all()
    finally:
        with store._database.writing() as connection:
            connection.execute(text("DROP TABLE posted"))
    assert [f"{n:03}" for n in range(90)] == sorted(posted)
    for at in range(3):
        theirs = [one for one in posted if int(one) % 3 == at]
        assert sorted(theirs) == theirs
    assert {"delivered"} == {one.state for one in store.outbox.deliveries()}


def test_the_turns_of_thousands_of_callers_fit_into_what_a_server_keeps_of_locks(store):
    with store._database.writing() as connection:
        take_turns_of(connection, [f"+1202555{n:04}" for n in range(10_000)])
        take_turn(connection, Lock.EVERYBODY)
        held = connection.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).scalar_one()
    assert 1_024 + 1 == held
