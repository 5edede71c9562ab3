"""The daemon on a server that is restarted, and crashes, under it: the far end counts what was dialled."""

import signal
from contextlib import closing
from datetime import UTC, datetime, timedelta

import postgres
import pytest
from daemon_process import Daemon, wait_until
from fleet_processes import Carrier, callee, caller

from probe.store import open_store

pytestmark = pytest.mark.agent

CALLERS, CALLEES = 4, 10
PLANNED = CALLERS * CALLEES
SCENARIO = """
trunk: {{name: far, uri: "sip:127.0.0.1:{port}", lines: 4, calls_per_second: 6}}
callers: [{callers}]
destinations: [{callees}]
call: {{ring_limit: 1s, hold: 0s}}
limits: none
schedule: {{calendar: {{days: 1, at: 00:00, since: 2099-01-01}}}}
"""


@pytest.fixture
def server():
    if not postgres.installed():
        pytest.skip("needs PostgreSQL (Debian: postgresql)")
    with postgres.running() as own:
        yield own


@pytest.fixture
def carrier():
    with Carrier() as carrier:
        yield carrier


@pytest.fixture
def scenario(tmp_path, carrier):
    callees = ", ".join(f'{{number: "{callee(n)}", network: a, consent: a far end}}' for n in range(CALLEES))
    callers = ", ".join(f'{{number: "{caller(n)}"}}' for n in range(CALLERS))
    path = tmp_path / "watch.yaml"
    path.write_text(SCENARIO.format(port=carrier.port, callers=callers, callees=callees))
    return path


def begin_round(store):
    now = datetime.now(UTC)
    begun = {"planned_at": now, "ends_at": now + timedelta(seconds=12)}
    store.begin_round(f"watch@{now:%Y-%m-%dT%H:%M:%SZ}", "watch", now, PLANNED, **begun)


def test_a_server_that_restarts_under_a_round_loses_no_call_and_has_none_dialled_twice(
    tmp_path, server, scenario, carrier
):
    url = server.database()
    with closing(open_store(url)) as store, Daemon(tmp_path, scenario, env={"PROBE_STORE": url}) as daemon:
        daemon.wait_for("started")
        begin_round(store)
        for dialled, how in ((4, signal.SIGINT), (9, signal.SIGQUIT), (14, signal.SIGINT)):
            wait_until(lambda dialled=dialled: len(carrier.calls) >= dialled, 20, lambda: daemon.said)
            server.restart(how)
        wait_until(lambda: not store.open_rounds("watch"), 40, lambda: daemon.said)
        calls = list(store.calls(messages=False))
        pairs = {(call.request.caller, call.request.callee): str(call.ending) for call in calls}
        assert PLANNED == len(pairs) == len(calls)
        assert {1} == set(carrier.dialled.values())
        assert 14 < len(carrier.dialled), daemon.said  # it went on after the last restart
        heard = {pair for pair, ending in pairs.items() if ending in {"refused", "ring_limit"}}
        assert set(carrier.dialled) == heard
        # An attempt whose answer was lost with the server is on the disk, and was never dialled.
        assert {"guarded", "lost"} >= {ending for pair, ending in pairs.items() if pair not in heard}
