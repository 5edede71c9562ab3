"""`probe worker` and `probe fleet` as commands: what they refuse, and what `fleet status` tells."""

import json
from datetime import timedelta

import pytest

from probe import fleet
from probe.call import CallRequest
from probe.cli.main import run
from probe.store import Served, open_store

FILE = """
trunk: {name: carrier-a, uri: "sip:127.0.0.1:5060"}
callers: [{number: +12025550101}]
destinations: [{number: +12025550191, consent: ours}]
schedule: {every: 1h}
"""


@pytest.fixture
def scenario(tmp_path):
    def write(more=""):
        file = tmp_path / "watched.yaml"
        file.write_text(FILE + more)
        return str(file)

    return write


@pytest.fixture
def database(postgresql):
    return postgresql.database()


@pytest.mark.parametrize("command", [["run"], ["worker", "--site", "east"]])
def test_several_machines_need_a_database_that_they_can_share(command, scenario, tmp_path, capsys):
    file = scenario("sites: [east]\n")
    assert 2 == run([command[0], file, *command[1:], "--store", f"sqlite:///{tmp_path}/probe.db"])
    assert (
        "probe: Several machines share a PostgreSQL database; name it with --store postgresql://USER@HOST/DATABASE.\n"
    ) == capsys.readouterr().err


@pytest.mark.parametrize(
    ("sites", "named"),
    [("", "the machine that runs `probe run` alone"), ("sites: [west, north]\n", "west, north")],
)
def test_a_worker_takes_only_files_that_name_its_site(sites, named, scenario, capsys):
    file = scenario(sites)
    assert 2 == run(["worker", file, "--site", "east", "--store", "postgresql://nobody@127.0.0.1/none"])
    assert (
        f"probe: {file} is not called from the site east but from {named}; name east under `sites:` there.\n"
    ) == capsys.readouterr().err


def test_queues_of_another_version_are_left_alone(database, scenario, capsys):
    store = open_store(database)
    store.plans.prepare(fleet.make_ready)
    with store._database.writing() as connection:
        connection.exec_driver_sql("DROP FUNCTION procrastinate_fetch_job_v2")
    store.close()
    assert 3 == run(["worker", scenario("sites: [east]\n"), "--site", "east", "--store", database])
    assert "another version of Procrastinate" in capsys.readouterr().err


def test_a_fleet_that_does_nothing_says_so(database, capsys):
    assert 0 == run(["fleet", "status", "--store", database])
    assert [
        "planned by  nobody; `probe run` plans where a file names sites",
        "workers     none; start one with `probe worker --site NAME SCENARIO`",
        "calls       none planned",
    ] == capsys.readouterr().out.splitlines()


def test_the_status_tells_of_workers_calls_jobs_and_who_plans(database, capsys):
    store = open_store(database)
    scheduling = store.plans.scheduling()
    try:
        assert scheduling.hold()
        store.plans.prepare(fleet.make_ready)
        store.plans.greet("east/host/1", "east", ["carrier-a"])
        store.plans.plan(list(map(planned, range(3))), store.plans.now() + timedelta(hours=1), fleet.wake)
        served = {"worker": "east/host/1", "site": "east", "trunk": "carrier-a", "scenarios": ("watched",)}
        rates = {"lines": 2, "calls_per_second": 9.0, "reach": None}
        store.plans.take(Served(**served | rates), lambda *_: lambda _: None, fleet.wake)
        assert 0 == run(["fleet", "status", "--json", "--store", database])
        told = json.loads(capsys.readouterr().out)
        assert 0 == run(["fleet", "status", "--store", database])
        page = capsys.readouterr().out
    finally:
        scheduling.drop()
        store.close()
    assert [("east/host/1", 1)] == [(one["name"], one["calls"]) for one in told["workers"]]
    (queue,) = told["queues"]
    assert ({"placing": 1, "planned": 2}, 1, {"todo": 1}) == (queue["calls"], queue["lines_in_use"], queue["jobs"])
    assert told["planned_by"]["name"] in page
    assert "east.carrier-a  1 placing, 2 planned  1 lines in use" in page


def planned(number):
    return CallRequest(
        id=f"call-{number}",
        plan_key=f"plan-{number}",
        trunk="carrier-a",
        caller="+12025550101",
        callee=f"+1202555019{number}",
        scenario="watched",
        site="east",
    )


def test_one_claim_to_plan_is_good_at_a_time(database):
    store, other = open_store(database), open_store(database)
    first, second = store.plans.scheduling(), other.plans.scheduling()
    assert [True, False, True, False] == [first.hold(), second.hold(), first.hold(), second.hold()]
    first.drop()
    assert [True, False] == [second.hold(), first.hold()]
    second.drop()
    assert store.plans.holder() is None
    store.close()
    other.close()


def test_a_long_name_of_a_queue_fits_the_channel_of_postgresql(database):
    site, trunk = "a" * 24, "b" * 63
    assert (40, "east.carrier-a") == (len(fleet.queue_of(site, trunk)), fleet.queue_of("east", "carrier-a"))
    assert fleet.queue_of(site, trunk) != fleet.queue_of(site, trunk + "b")
    store = open_store(database)
    store.plans.prepare(fleet.make_ready)
    with store._database.writing() as connection:
        fleet.wake(connection, [(site, trunk), (site, trunk)])
    assert {fleet.queue_of(site, trunk): {"todo": 1}} == store.plans.read(fleet.count_jobs)
    store.close()
