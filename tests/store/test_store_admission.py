"""Asking the guard and writing the attempt are one step: two processes on one store share the budget exactly."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from probe.call import Ending
from probe.judged import judge_call
from probe.scenario.guard import Allowed, Refusal, check, reach
from probe.scenario.history import NOTHING, AlreadyPlanned, Pause, PauseKind, Used, history_of
from probe.scenario.round import RoundState
from probe.scenario.scenario import Hours, Limits, Rate
from probe.store import open_store

CALLER, CALLEE = "+12025550101", "+12025550191"
ALL_DAY = Hours(opens=0, closes=1440)
ALLOWED = Allowed(callers=frozenset({CALLER}), consent="our own lines", limits=Limits(hours=ALL_DAY))


def gate(request, now, allowed=ALLOWED):
    return lambda history: check(request, allowed=allowed, history=history, now=now)


def admit(store, request, now, allowed=ALLOWED):
    return store.admit(request, now, gate(request, now, allowed), reach(allowed.limits))


def limited(**limits):
    return replace(ALLOWED, limits=replace(ALLOWED.limits, **limits))


def test_a_call_that_is_admitted_is_an_attempt_at_once(store, make_request, now):
    assert admit(store, make_request(), now) is None
    assert not store.begin(make_request("call-2", plan_key="plan of call-1"), now)


def test_what_was_planned_before_is_never_admitted_again(store, make_request, now):
    admit(store, make_request(), now)
    again = make_request("call-2", plan_key="plan of call-1")
    expected = AlreadyPlanned(plan_key="plan of call-1")
    assert expected == admit(store, again, now + timedelta(days=30))


def test_what_was_refused_before_is_never_admitted_either(store, make_request, make_record, now):
    store.refuse(judge_call(make_record(make_request(), ending=Ending.GUARDED, messages=(), detail="hours: late")))
    assert isinstance(admit(store, make_request("call-2", plan_key="plan of call-1"), now), AlreadyPlanned)


def test_a_refusal_writes_nothing(store, make_request, now):
    admit(store, make_request(), now)
    refusal = admit(store, make_request("call-2"), now + timedelta(seconds=20))
    assert isinstance(refusal, Refusal)
    assert refusal.rule == "destination_busy"
    assert store.begin(make_request("call-2"), now)


def test_refused_calls_count_nowhere(store, make_request, make_record, now):
    for number in range(20):
        guarded = make_record(make_request(f"{number}"), ending=Ending.GUARDED, messages=(), detail="hours: late")
        store.refuse(judge_call(guarded))
    assert history_of([], now=now).used == store.history(now).used
    assert admit(store, make_request(), now) is None


def test_an_attempt_counts_whatever_became_of_it(store, make_request, now):
    """The crash loop: each start dials, dies, is marked lost, and starts again."""
    allowed = limited(per_caller=(Rate(count=3, window_s=3600),), per_destination=())
    answers = []
    for number in range(20):
        at = now + timedelta(minutes=2 * number)
        store.mark_lost(at)
        answers.append(admit(store, make_request(f"{number}"), at, allowed))
    admitted = [number for number, answer in enumerate(answers) if answer is None]
    assert [0, 1, 2] == admitted


def test_the_guard_sees_the_same_for_one_call_as_for_the_whole_plan(store, make_request, make_record, now):
    store.begin_round("r1", "s", now - timedelta(hours=3), 9)
    for number in range(12):
        at = now - timedelta(hours=2 * number)
        asked = make_request(f"{number}", scenario="s" if number % 2 else None, round="r1" if number < 2 else None)
        store.begin(asked, at)
        if number % 3:
            record = make_record(asked, status=603, started_at=at, ended_at=at + timedelta(seconds=5))
            store.finish(judge_call(record))
    whole, seen = store.history(now), []
    store.admit(make_request("ask", scenario="s", round="r1"), now, lambda past: seen.append(deepcopy(past)))
    assert whole.callers[CALLER] == tuple(sorted(seen[0].callers[CALLER], key=lambda one: one.at))
    assert whole.callees[CALLEE] == tuple(sorted(seen[0].callees[CALLEE], key=lambda one: one.at))
    assert whole.trunks == seen[0].trunks
    assert whole.used == seen[0].used
    used = whole.used["trunk", "carrier-a"]
    assert (12, 7_000 * 4) == (used.calls, used.talk_ms)  # four are under way
    assert 6 == whole.used["scenario", "s"].calls


def test_talk_counts_as_it_was_and_the_longest_possible_before_the_end(store, make_request, make_record, now):
    store.begin(make_request("under-way", hold_ms=90_000), now)
    store.begin(make_request("refused"), now)
    store.finish(judge_call(make_record(make_request("refused"))))
    expected = Used(calls=2, talk_ms=91_000, minutes=2, oldest_at=now)
    assert expected == store.history(now).used["trunk", "carrier-a"]
    store.mark_lost(now + timedelta(hours=1))
    assert 91_000 == store.history(now).used["trunk", "carrier-a"].talk_ms


def test_spend_is_shared_and_reserved_before_the_call(store, make_request, now):
    allowed = limited(per_caller=(), per_destination=(), spend_per_day=Decimal("0.02"), rate_per_minute=Decimal("0.01"))
    asked = [make_request(f"{number}", callee=f"+1202555019{number}") for number in range(4)]
    answers = [admit(store, one, now, allowed) for one in asked]
    assert [None, None, "spend_per_day", "spend_per_day"] == [one and one.rule for one in answers]


def test_a_definitive_refusal_is_known_to_the_guard(store, make_request, make_record, make_message, now):
    store.begin_round("r1", "s", now, 1)
    blocked = (
        b"SIP/2.0 603 Network Blocked\r\nCSeq: 1 INVITE\r\n"
        b'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN\r\n\r\n'
    )
    asked = make_request(round="r1")
    admit(store, asked, now)
    store.finish(judge_call(make_record(asked, messages=(make_message(blocked),))))
    later = now + timedelta(hours=1)
    refusal = admit(store, make_request("again", round="r1"), later)
    assert "pair_refused" == refusal.rule
    assert admit(store, make_request("elsewhere"), later) is None


def test_threads_that_ask_at_once_share_one_bucket(store, make_request, now):
    allowed = limited(per_caller=(Rate(count=5, window_s=3600),), per_destination=())
    asked = [make_request(f"{n}", callee=f"+120255502{n:02}") for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda one: admit(store, one, now, allowed), asked))
    assert 5 == answers.count(None)


ADMIT = """
import sys
from datetime import UTC, datetime
from probe.call import CallRequest
from probe.scenario.guard import Allowed, check
from probe.scenario.scenario import Limits, Rate
from probe.scenario.scenario import Hours
from probe.store import open_store
limits = Limits(per_caller=(Rate(count=7, window_s=3600),), per_destination=(), hours=Hours(opens=0, closes=1440))
allowed = Allowed(callers=frozenset({{"+12025550101"}}), consent="ours", limits=limits)
store = open_store({url!r})
sys.stdin.readline()
admitted = 0
for n in range(20):
    now = datetime.now(UTC)
    ids = {{"id": f"{me}-{{n}}", "plan_key": f"{me} {{n}}"}}
    asked = CallRequest(**ids, trunk="t", caller="+12025550101", callee=f"+1202555{me}{{n:02}}")
    admitted += store.admit(asked, now, lambda past: check(asked, allowed=allowed, history=past, now=now)) is None
print(admitted)
"""


def test_processes_that_ask_at_once_share_one_bucket(url):
    open_store(url).close()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    scripts = [ADMIT.format(url=url, me=me) for me in ("02", "03")]
    processes = [subprocess.Popen([sys.executable, "-c", script], **pipes) for script in scripts]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in processes]
    assert 7 == sum(int(out) for out, _ in said), said


def test_a_process_killed_between_admission_and_end_has_used_its_room(url, store, make_request):
    script = ADMIT.format(url=url, me="02").replace(
        "print(admitted)", "print(admitted, flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as process:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert "7\n" == process.stdout.readline()
        process.kill()
    now = datetime.now(UTC)
    allowed = limited(per_caller=(Rate(count=7, window_s=3600),), per_destination=())
    assert "per_caller" == admit(store, make_request(), now, allowed).rule
    assert 7 == len(store.mark_lost(now + timedelta(minutes=10)))
    assert "per_caller" == admit(store, make_request(), now + timedelta(minutes=10), allowed).rule


def test_a_pause_is_there_until_it_is_resumed_whoever_opens_the_store(store, url, make_request, now):
    assert store.pause(PauseKind.NUMBER, CALLER, "under repair", now)
    assert not store.pause(PauseKind.NUMBER, CALLER, "again", now)
    store.pause(PauseKind.TRUNK, "carrier-b", "moved", now)
    again = open_store(url)
    expected = Pause(kind=PauseKind.NUMBER, name=CALLER, since=now, why="under repair")
    assert expected == again.pauses()[0]
    assert "paused_number" == admit(again, make_request(), now).rule
    assert again.resume(PauseKind.NUMBER, CALLER, now)
    assert not again.resume(PauseKind.NUMBER, CALLER, now)
    assert ["carrier-b"] == [pause.name for pause in again.history(now).pauses]
    assert admit(again, make_request(), now) is None
    again.close()


def test_history_is_a_day_and_all_of_every_open_round(store, make_request, now):
    store.begin_round("old", "s", now - timedelta(days=3), 2, planned_at=now - timedelta(days=3), ends_at=now)
    for number, days in enumerate((0.5, 2, 4)):
        store.begin(make_request(f"{number}", round="old"), now - timedelta(days=days))
    assert ["1", "0"] == [one.call_id for one in store.history(now).rounds["old"]]
    store.finish_round("old", now, {})
    assert ["0"] == [one.call_id for one in store.history(now).callers[CALLER]]
    assert NOTHING.rounds == store.history(now + timedelta(days=2)).rounds


def test_the_plan_sees_what_was_refused_in_an_open_round(store, make_request, now):
    store.begin_round("r1", "s", now, 2, planned_at=now, ends_at=now + timedelta(hours=1))
    refused = [Refusal(request=make_request(f"{n}", round="r1"), rule="per_caller", why="Full.") for n in range(3)]
    assert 3 == store.refuse_all(refused, now)
    assert 0 == store.refuse_all([replace(one, request=replace(one.request, id="new")) for one in refused], now)
    assert {"plan of 0", "plan of 1", "plan of 2"} == store.history(now).refused
    expected = [("2", "per_caller", "Full."), ("1", "per_caller", "Full."), ("0", "per_caller", "Full.")]
    assert expected == [(one.request.id, one.rule, one.why) for one in store.refusals(now)]
    assert () == store.refusals(now + timedelta(seconds=1))
    store.finish_round("r1", now, {}, state=RoundState.STOPPED)
    assert frozenset() == store.history(now).refused


def test_a_control_call_is_found_from_the_call_that_it_is_held_against(store, make_request, now):
    store.begin(make_request("refused"), now)
    store.begin(make_request("control", control_of="refused"), now)
    assert {"refused": "control"} == store.controls(["refused", "control"])


def test_a_rate_over_a_week_is_kept_over_a_week(store, make_request, now):
    allowed = limited(per_caller=(Rate(count=1, window_s=7 * 86_400),), per_destination=())
    admit(store, make_request("first"), now, allowed)
    asked = [admit(store, make_request(f"{day}"), now + timedelta(days=day), allowed) for day in range(1, 9)]
    assert ["per_caller"] * 7 + [None] == [one and one.rule for one in asked]


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=3)])
def test_a_clock_set_back_lets_nothing_more_through(store, make_request, now, back):
    allowed = limited(per_caller=(Rate(count=2, window_s=3600),), per_destination=())
    answers = [admit(store, make_request(f"{n}"), now + timedelta(minutes=5 * n), allowed) for n in range(2)]
    answers += [admit(store, make_request(f"{n}"), now - back + timedelta(minutes=n), allowed) for n in range(2, 50)]
    assert [None, None] == answers[:2]
    assert None not in answers[2:]
