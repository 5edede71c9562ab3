"""The daemon against the container, killed on the way: every planned call once, or a reason why not; every event."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from daemon_process import Daemon, Receiver, store_in, wait_until

from probe.scenario.history import DAY
from probe.scenario.round import RoundState

CALLERS = ("+12025550101", "+12025550102", "+12025550103")
CALLEES = ("+12025550152", "+12025550161", "+12025550163")  # answers and hangs up; 603; 486
ROUND = len(CALLERS) * len(CALLEES)
PATIENCE_S = 120
SCENARIO = """
trunk:
  name: asterisk
  uri: sip:{host}:{port}
  username: probe-user
  password: ${{PROBE_TEST_PASSWORD}}
  register: true
  identity: [from, p-asserted-identity]
  lines: 4
  calls_per_second: 20
callers:
{callers}
destinations:
{callees}
call: {{ring_limit: 2s, hold: 300ms}}
limits: none
schedule: {{every: 12s}}
webhook:
  url: {url}
  secret: ${{HOOK_SECRET}}
  events: [round.completed, call.blocked]
"""


def test_killed_on_the_way_it_places_every_planned_call_once_and_delivers_every_event(asterisk, tmp_path):
    scenario = tmp_path / "seconds.yaml"
    environment = {"PROBE_TEST_PASSWORD": asterisk.password}
    with Receiver(fails=2) as receiver:
        scenario.write_text(
            SCENARIO.format(
                host=asterisk.host,
                port=asterisk.port,
                url=receiver.url,
                callers="\n".join(f"  - number: {number}" for number in CALLERS),
                callees="\n".join(
                    f"  - {{number: {number}, network: a, consent: the container}}" for number in CALLEES
                ),
            )
        )
        with Daemon(tmp_path / "a", scenario, env=environment) as daemon:
            # A round starts up to 12 s after the daemon and takes 12 s: on a busy machine 30 s are not enough for both.
            daemon.wait_for("round", PATIENCE_S, state="done")
            # In the middle of the next round.
            wait_until(lambda: len(daemon.lines("called")) >= ROUND + 2, PATIENCE_S, lambda: daemon.said)
            daemon.kill()
        with Daemon(tmp_path / "a", scenario, env=environment) as daemon:
            daemon.wait_for("called", PATIENCE_S)
            daemon.wait_for("round", PATIENCE_S, state="done")
            wait_until(lambda: 'probe_deliveries_waiting{endpoint="' in daemon.get("/metrics")[1])
            assert 0 == daemon.stop()
        with store_in(daemon.folder) as store:
            every_planned_call_is_there_once(store)
            every_event_was_taken_in_order(store, receiver)


def every_planned_call_is_there_once(store):
    calls = list(store.calls())
    assert {1} == set(Counter(call.request.plan_key for call in calls).values())
    why = {refused.request.plan_key: refused.why for refused in store.refusals(datetime.now(UTC) - DAY)}
    assert all(why.values())
    rounds = store.rounds(datetime.now(UTC) - DAY)
    # Between the first round and the last one there is no gap: each moment of the schedule has its row.
    moments = sorted(one.planned_at for one in rounds)
    assert {timedelta(seconds=12)} == {later - earlier for earlier, later in pairwise(moments)}
    pairs = {(caller, callee) for caller in CALLERS for callee in CALLEES}
    done = [one for one in rounds if one.state is RoundState.DONE]
    assert len(done) >= 2
    for one in done:
        found = [(call.request.caller, call.request.callee) for call in calls if call.request.round == one.id]
        assert sorted(pairs) == sorted(found), one
    assert all(one.why for one in rounds if one.state in {RoundState.SKIPPED, RoundState.MISSED})


def every_event_was_taken_in_order(store, receiver):
    deliveries = list(reversed(store.outbox.deliveries()))
    taken = [event_id for event_id, _ in receiver.taken]
    waiting = {one.event.id for one in deliveries if one.state.value == "waiting"}
    written = {one.event.id for one in deliveries}
    assert written == set(taken) | waiting
    assert len(receiver.tries) >= len(taken) + 2  # it failed at first
    order = defaultdict(list)
    for one in deliveries:
        order[one.event.subject].append(one.event.id)
    first = {event_id: place for place, event_id in reversed(list(enumerate(taken)))}
    for theirs in order.values():
        places = [first[event_id] for event_id in theirs if event_id in first]
        assert sorted(places) == places
        # What waits stands behind all that was taken.
        assert [one in first for one in theirs] == sorted((one in first for one in theirs), reverse=True)
