"""Several machines: workers of two sites, daemons that take turns to plan, a PostgreSQL that restarts.

The judge is the far end, which counts INVITEs and knows nothing of ledgers.
"""

import random
import signal
import time
from itertools import pairwise

import postgres
import pytest
from daemon_process import SECRET, Receiver
from fleet_processes import ROOMY, Carrier, Fleet, Way, callee, caller, wait_until

pytestmark = [
    pytest.mark.agent,
    pytest.mark.skipif(not postgres.installed(), reason="needs Debian's postgresql"),
    pytest.mark.xdist_group("fleet"),  # each test is several machines: one at a time is enough for two cores
]


@pytest.fixture(scope="module")
def server():
    with postgres.running() as server:
        yield server


@pytest.fixture
def carrier():
    with Carrier() as carrier:
        yield carrier


@pytest.fixture
def way(fleet):
    with Way(fleet.url) as way:
        yield way


@pytest.fixture
def fleet(tmp_path, server, carrier):
    with Fleet(tmp_path, server.database(), carrier.port) as fleet:
        yield fleet


def pairs(callers, callees):
    return [(caller(one), callee(other)) for other in callees for one in range(callers)]


BUSY = [number for number in range(60) if number % 10 < 8]
RINGING = 9  # rings until it is cancelled


def test_two_workers_share_the_planned_calls_and_the_lines_of_the_trunk(fleet, carrier):
    file = fleet.scenario(lines=6, destinations=60)
    workers = [fleet.worker(file), fleet.worker(file)]
    for worker in workers:
        worker.wait_for("started")
    fleet.plan(pairs(1, BUSY))
    fleet.wait_for_states(done=len(BUSY))
    assert dict.fromkeys(pairs(1, BUSY), 1) == carrier.dialled
    assert 6 >= carrier.most_open
    assert 0 < min(len(worker.lines("called")) for worker in workers), fleet.logs()


def test_calls_per_second_hold_across_workers(fleet, carrier):
    file = fleet.scenario(lines=20, pace=5, destinations=60)
    workers = [fleet.worker(file), fleet.worker(file)]
    for worker in workers:
        worker.wait_for("started")
    fleet.plan(pairs(1, BUSY[:12]))
    fleet.wait_for_states(done=12)
    starts = sorted(at for *_, at in carrier.calls.values())
    assert 11 / 5 - 0.5 < starts[-1] - starts[0]
    # Three of each worker, on a machine that stands still now and then.
    assert all(6 >= sum(start <= one < start + 0.5 for one in starts) for start in starts), starts


def test_calls_whose_moments_passed_while_their_worker_stood_still_do_not_leave_at_once(fleet, carrier):
    file = fleet.scenario(lines=20, pace=2, destinations=60)
    worker = fleet.worker(file)
    worker.wait_for("started")
    fleet.plan(pairs(1, BUSY[:4]))
    wait_until(lambda: carrier.calls)
    worker.tell(signal.SIGSTOP)
    time.sleep(1.5)  # all four have had their moments by then
    worker.tell(signal.SIGCONT)
    fleet.wait_for_states(done=4)
    starts = sorted(at for *_, at in carrier.calls.values())
    assert 0.25 < min(later - earlier for earlier, later in pairwise(starts)), starts


def test_a_call_whose_worker_was_killed_is_lost_and_never_dialled_again(fleet, carrier):
    file = fleet.scenario(lines=1, destinations=10)
    first = fleet.worker(file)
    first.wait_for("started")
    fleet.plan(pairs(1, [RINGING]))
    carrier.wait_for("INVITE")
    first.kill()
    second = fleet.worker(file)
    second.wait_for("started")
    fleet.plan(pairs(1, [3]))
    fleet.wait_for_states(placing=1, planned=1)
    fleet.let_time_pass()
    fleet.wait_for_states(lost=1, done=1)
    assert dict.fromkeys(pairs(1, [RINGING, 3]), 1) == carrier.dialled


def test_a_call_whose_worker_was_killed_before_its_invite_is_lost_and_never_dialled(fleet, carrier):
    file = fleet.scenario(pace=1, destinations=10)
    first = fleet.worker(file)
    first.wait_for("started")
    fleet.plan(pairs(1, [1, 2]))
    carrier.wait_for("INVITE")
    wait_until(lambda: 2 == len(fleet.read("SELECT 1 FROM call")))
    first.kill()
    fleet.worker(file).wait_for("started")
    fleet.let_time_pass()
    wait_until(lambda: "placing" not in fleet.states(), story=fleet.logs)
    assert 1 == carrier.dialled.total()
    assert 1 <= fleet.states()["lost"] <= 2


def test_a_call_whose_worker_was_killed_before_its_end_was_written_is_lost_and_counts(fleet, carrier, way):
    file = fleet.scenario(destinations=10)
    worker = fleet.worker(file, url=way.url(fleet.url))
    worker.wait_for("started")
    fleet.plan(pairs(1, [RINGING]), ring_limit_ms=1500)
    carrier.wait_for("INVITE")
    way.hold()
    carrier.wait_for("CANCEL")
    worker.kill()
    way.let_flow()
    fleet.worker(file).wait_for("started")
    fleet.let_time_pass()
    fleet.wait_for_states(lost=1)
    assert 1 == carrier.dialled.total()
    assert [("lost", 1000)] == fleet.read("SELECT ending, talk_ms FROM call")


def test_a_worker_that_is_told_to_stop_ends_its_calls(fleet, carrier):
    worker = fleet.worker(fleet.scenario(destinations=10))
    worker.wait_for("started")
    fleet.plan(pairs(1, [RINGING]))
    carrier.wait_for("INVITE")
    assert 0 == worker.stop()
    assert 1 == len(carrier.requests("CANCEL"))
    fleet.wait_for_states(done=1)
    assert () == fleet.store.plans.workers()


def test_a_server_that_crashes_costs_no_call_and_repeats_none(fleet, carrier, server):
    file = fleet.scenario(lines=2, pace=8, destinations=60)
    workers = [fleet.worker(file), fleet.worker(file)]
    for worker in workers:
        worker.wait_for("started")
    fleet.plan(pairs(1, BUSY[:24]))
    carrier.wait_for("INVITE", count=3)
    server.stop(signal.SIGQUIT)
    server.start()
    wait_until(lambda: len(carrier.dialled) > 20, story=fleet.logs)
    fleet.let_time_pass()
    fleet.wait_until_over()
    assert {"done", "lost"} >= set(fleet.states())
    assert {1} == set(carrier.dialled.values())
    assert fleet.states()["done"] <= len(carrier.dialled)


def test_the_end_of_a_call_is_written_when_the_way_to_the_database_is_back(fleet, carrier, way):
    worker = fleet.worker(fleet.scenario(destinations=10), url=way.url(fleet.url))
    worker.wait_for("started")
    fleet.plan(pairs(1, [RINGING]), ring_limit_ms=1500)
    carrier.wait_for("INVITE")
    way.close()
    carrier.wait_for("CANCEL")
    assert {"placing": 1} == fleet.states()
    way.open()
    fleet.wait_for_states(done=1)
    assert [("ring_limit",)] == fleet.read("SELECT ending FROM call")


def test_a_job_of_a_dead_worker_is_closed_and_its_calls_are_placed_by_another(fleet, carrier):
    file = fleet.scenario(destinations=10)
    first = fleet.worker(file)
    first.wait_for("started")
    with fleet.nobody_may_take():
        fleet.plan(pairs(1, [1]))
        wait_until(lambda: fleet.read("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'"))
        first.kill()
    fleet.change("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'")
    fleet.worker(file)
    fleet.wait_for_states(done=1)
    wait_until(lambda: [("failed",)] == fleet.read("SELECT status::text FROM procrastinate_jobs"))
    assert {pairs(1, [1])[0]: 1} == carrier.dialled


def test_the_limits_of_a_number_hold_across_sites(fleet, carrier):
    limits = '{per_caller: [2/1h], per_destination: [9/1h], hours: "00:00-24:00"}'
    file = fleet.scenario(sites=("east", "west"), limits=limits, callers=1, destinations=10)
    for worker in [fleet.worker(file, site) for site in ("east", "west")]:
        worker.wait_for("started")
    for site in ("east", "west"):
        fleet.plan(pairs(1, [1, 2, 3]), site, seconds=600)
    fleet.wait_for_states(done=2, refused=4)
    assert 2 == carrier.dialled.total()


def test_another_daemon_takes_over_and_the_round_is_told_of_once(fleet, carrier):
    with Receiver() as receiver:
        hook = f"webhook: {{url: '{receiver.url}', secret: '${{HOOK_SECRET}}', events: [round.completed]}}"
        file = fleet.scenario(
            sites=("east", "west"), callers=2, destinations=3, more=f"schedule: {{every: 1h}}\n{hook}\n"
        )
        fleet.environment["HOOK_SECRET"] = SECRET
        workers = [fleet.worker(file, site) for site in ("east", "west")]
        first = fleet.daemon(file)
        first.wait_for("plans")
        for worker in workers:
            worker.wait_for("started")
        second = fleet.daemon(file)
        second.wait_for("stands_ready")
        fleet.open_round("watched", seconds=24, planned=12)
        carrier.wait_for("INVITE", count=2, seconds=10)
        first.kill()
        second.wait_for("plans")
        fleet.wait_for_states(done=12, seconds=30)
        wait_until(lambda: receiver.taken, 20, fleet.logs)
        assert 0 == second.stop()
    assert {2} == set(carrier.dialled.values())
    assert ["round.completed"] == [body["type"] for _, body in receiver.taken]
    assert 12 == receiver.taken[0][1]["data"]["counts"]["placed"]
    assert [("done", 1)] == fleet.read("SELECT state, count(*) FROM round GROUP BY 1")


@pytest.mark.parametrize("seed", [6])
def test_whatever_dies_no_plan_is_dialled_twice_and_each_one_ends(fleet, carrier, server, way, seed):
    """For 16 seconds of a round daemons and workers are killed or frozen, the server crashes, the network is cut."""
    callers, destinations, lines = 8, 10, 5
    file = fleet.scenario(
        lines=lines,
        callers=callers,
        destinations=destinations,
        ring_limit="2s",
        limits=ROOMY,
        more="schedule: {every: 1h}\n",
    )
    carrier.ringing = "02468"
    chaos = Chaos(fleet, server, way, file, random.Random(seed))
    fleet.open_round("watched", seconds=38, planned=callers * destinations)
    chaos.reign(seconds=16)
    assert lines >= carrier.most_open
    fleet.let_time_pass()
    wait_until(lambda: [("done",)] == fleet.read("SELECT state FROM round"), 45, fleet.logs)
    assert {1} == set(carrier.dialled.values())
    assert len(carrier.dialled) > 5
    assert {"done", "lost", "refused"} >= set(fleet.states()), fleet.states()
    ends = dict(fleet.read("SELECT coalesce(ending, 'none'), count(*) FROM call GROUP BY 1"))
    assert (callers * destinations, False) == (sum(ends.values()), "none" in ends)
    assert ends.get("guarded", 0) <= callers * destinations - len(carrier.dialled)


class Chaos:
    """What happens to two daemons, two workers, their server and the network between, by chance."""

    def __init__(self, fleet, server, way, file, chance):
        self.server, self.way, self.chance = server, way, chance
        far = way.url(fleet.url)
        self.starts = [
            lambda: fleet.daemon(file),
            lambda: fleet.daemon(file, url=far),
            lambda: fleet.worker(file),
            lambda: fleet.worker(file, url=far),
        ]
        self.running = [start() for start in self.starts]
        for one in self.running:
            one.wait_for("started")

    def reign(self, seconds):
        until = time.monotonic() + seconds
        deeds = (self.kill, self.kill, self.kill, self.freeze, self.cut, self.hold, self.crash, self.restart)
        while time.monotonic() < until:
            time.sleep(self.chance.uniform(0.1, 1.0))
            self.chance.choice(deeds)()
            self.raise_the_dead()

    def raise_the_dead(self):
        for number, one in enumerate(self.running):
            if one.process.poll() is not None:
                self.running[number] = self.starts[number]()

    def kill(self):
        self.chance.choice(self.running).kill()

    def freeze(self):
        one = self.chance.choice(self.running)
        one.tell(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.2, 1.0))
        one.tell(signal.SIGCONT)

    def cut(self):
        self.way.close()
        time.sleep(self.chance.uniform(0.2, 1.0))
        self.way.open()

    def hold(self):
        self.way.hold()
        time.sleep(self.chance.uniform(0.2, 1.0))
        self.way.let_flow()

    def crash(self):
        self.server.restart(signal.SIGQUIT)

    def restart(self):
        self.server.restart()
