"""Processes killed, and servers crashed, in the middle of anything: no plan is dialled twice, none is forgotten."""

import errno
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import timedelta

import pytest
from placed import START
from postgres import running
from sqlalchemy import func, select

from probe.errors import StoreError
from probe.store import open_store
from probe.store.schema import call, message, opinion

PLANS = 80
MOST = 4  # calls of a caller in an hour
CALLERS = tuple(f"+12025550{n:03}" for n in range(100, 140))
LONG_AFTER = START + timedelta(days=2)

# Dials what is planned and not there yet, as often as it is started: prints each plan when its INVITE would leave.
ROAD = """
import random, sys, time
sys.path[:0] = {path!r}
from dataclasses import replace
from datetime import timedelta
from placed import BLOCKED, START, answered, refused
from probe.errors import StoreError
from probe.scenario.guard import Allowed, check, reach
from probe.scenario.history import AlreadyPlanned
from probe.scenario.scenario import Hours, Limits, Rate
from probe.store import open_store
from probe.store.store import tell_nothing

CALLERS = {callers!r}
rate, always = Rate(count={most}, window_s=3600), Hours(opens=0, closes=1440)
limits = Limits(per_caller=(rate,), per_destination=(), hours=always)
allowed = Allowed(callers=frozenset(CALLERS), consent="ours", limits=limits)
me, chance = sys.argv[1], random.Random(sys.argv[1])

def planned(number):
    key, caller = f"plan {{number}}", CALLERS[number % len(CALLERS)]
    callee = f"+1202555{{2000 + number:04}}"
    numbers = dict(caller=caller, callee=callee, at=START + timedelta(seconds=number))
    # Four calls a trunk: too few for ten blocks in a row, at which a trunk's breaker would keep plans from leaving.
    fields = dict(id=f"{{me}} {{key}}", plan_key=key, trunk=f"trunk {{number % 20}}", **numbers)
    return refused(*BLOCKED, **fields) if number % 3 else answered(**fields)

def ask(judged):
    request, now = judged.record.request, judged.record.started_at
    return request, now, lambda past: check(request, allowed=allowed, history=past, now=now), reach(limits)

def try_until_it_works(what):
    while True:
        try:
            return what()
        except StoreError:
            print("trouble", flush=True)
            if not {patient}:
                raise
            time.sleep(0.05)  # nobody tells when a server is back

store = try_until_it_works(lambda: open_store({url!r}))
numbers = list(range({plans}))
chance.shuffle(numbers)
while numbers:
    drawn = [numbers.pop() for _ in range(min(len(numbers), chance.randrange(1, 6)))]
    some = list(map(planned, drawn))
    try:
        answers = store.admit_all(list(map(ask, some)))
        assert {{None, AlreadyPlanned}} >= {{answer and type(answer) for answer in answers}}, answers
    except StoreError:
        print("trouble", flush=True)
        time.sleep(0.05)
        numbers += drawn  # asked for again; what is on the disk after all never leaves, and is found to be lost
        continue
    leaving = [one for one, answer in zip(some, answers) if answer is None]
    for one in leaving:
        print("dialled", one.record.request.plan_key, flush=True)
    if leaving and "halt" in sys.argv:
        sys.stdin.read()
    if leaving:
        try_until_it_works(lambda: store.finish_all([(one, tell_nothing, None) for one in leaving]))
print("done", flush=True)
"""


def start(url, *arguments, patient=False):
    words = {"path": sys.path, "callers": CALLERS, "most": MOST, "plans": PLANS, "url": url, "patient": patient}
    command = [sys.executable, "-c", ROAD.format(**words), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, **pipes)


def rest(process):
    """What a process says until it ends."""
    with process:
        return process.stdout.read().splitlines()


def dialled(said):
    return [line.removeprefix("dialled ") for line in said if line.startswith("dialled ")]


def judge(url, said):
    """What was dialled, was dialled once; every plan is in the store and ends; the books are those of all calls."""
    with closing(open_store(url)) as store:
        store.mark_lost(LONG_AFTER)
        with store._database.reading() as connection:
            ended = dict(map(tuple, connection.execute(select(call.c.plan_key, call.c.ending))))
            judged = connection.execute(select(func.count()).select_from(opinion)).scalar_one()
            heard = set(connection.execute(select(call.c.plan_key).join(message)).scalars())
        kept = store.standings(), sorted(store.tallies()), store.cases()
        store.rebuild_all(lambda *_: None)
        assert kept == (store.standings(), sorted(store.tallies()), store.cases())
    times = Counter(dialled(said))
    assert {1} == set(times.values())
    assert {f"plan {number}" for number in range(PLANS)} == set(ended)
    finished = {key for key, ending in ended.items() if ending in {"answered", "refused"}}
    assert (finished, len(ended)) == (heard, judged)
    assert finished <= set(times)
    assert {"lost"} >= {ended[key] for key in set(ended) - finished}
    return ended


def test_a_process_killed_at_any_moment_dials_nothing_twice_and_loses_no_plan(url):
    """Two at a time, killed again and again, until they got through."""
    open_store(url).close()
    chance, said = random.Random(9), []
    for life in range(3):
        # The first two are under way with a call for sure when they die.
        processes = [start(url, f"{life}{me}", *(["halt"] if life == 0 else [])) for me in "ab"]
        for process in processes:
            lines = (1, chance.randrange(1, 9), 0)[life]
            heard = [process.stdout.readline() for _ in range(lines)]
            said += [line.strip() for line in heard]
            if life < 2:
                process.kill()
        for process in processes:
            said += rest(process)
    assert said.count("done") >= 2
    endings = Counter(judge(url, said).values())
    assert 0 < endings["lost"] < PLANS / 4, endings


def test_a_server_that_crashes_at_any_moment_dials_nothing_twice_and_loses_no_plan():
    chance, said = random.Random(9), []
    with running() as server:
        url = server.database()
        open_store(url).close()
        processes = [start(url, me, patient=True) for me in "ab"]
        for how in (signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
            for process in processes:
                said += [process.stdout.readline().strip() for _ in range(chance.randrange(1, 9))]
            server.restart(how)
        for process in processes:
            said += rest(process)
        assert 2 == said.count("done"), said
        assert "trouble" in said
        judge(url, said)


def test_what_the_machine_refuses_within_a_step_is_told_as_trouble_of_the_store(url):
    """So that the end of a call is kept, and written when there are handles again: a time zone is a file, too."""
    with closing(open_store(url)) as store:
        words = "cannot be read or written (Too many open files); raise that limit"
        with pytest.raises(StoreError, match=re.escape(words)), store._database.writing():
            raise OSError(errno.EMFILE, "Too many open files")
