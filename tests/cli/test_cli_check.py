"""`probe check`: a scenario against the simulator, its table, JUnit, webhooks and exit codes."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SCENARIO = """
trunk: {{name: simulator, uri: "sip:{carrier}", lines: 4, calls_per_second: 20}}
callers:
  - number: +12025550101
  - number: +12025550102
destinations:
  - {{number: +12025550190, network: verizon, consent: a number of the simulator, expect: {expect}}}
  - number: +12025550182
    network: t-mobile
    consent: a number of the simulator
    expect_from: {{+12025550101: invalid_number}}
call: {{ring_limit: 5s, hold: 300ms}}
limits: none
webhook:
  url: {url}
  secret: ${{HOOK_SECRET}}
  events: [round.completed, call.blocked]
"""

pytestmark = pytest.mark.agent


class Receiver(BaseHTTPRequestHandler):
    """Takes webhooks, checks each signature with the reference library, and keeps them."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Webhook(SECRET).verify(body, dict(self.headers))
        self.server.taken.append((self.headers["webhook-id"], json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.taken = []
        server.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def scenario(tmp_path, carrier, receiver):
    def write(expect="answered", url=None):
        path = tmp_path / "nightly.yaml"
        path.write_text(SCENARIO.format(carrier=carrier, expect=expect, url=url or receiver.url))
        return path

    return write


@pytest.fixture
def check(probe):
    return lambda *arguments: probe("check", *arguments, env={"HOOK_SECRET": SECRET})


def test_a_scenario_is_checked_told_reported_and_delivered(check, scenario, receiver, probe, tmp_path):
    said = check(scenario(), "--json", "--junit", tmp_path / "report.xml")
    assert 1 == said.code  # one caller ID is blocked where it was to be answered
    found = {(call["caller"][-3:], call["callee"][-3:]): call for call in said.lines}
    assert {("101", "190"), ("102", "190"), ("101", "182"), ("102", "182")} == set(found)
    assert [True, False, True, None] == [
        found[pair]["as_expected"] for pair in (("101", "190"), ("102", "190"), ("101", "182"), ("102", "182"))
    ]
    suite = ET.parse(tmp_path / "report.xml").getroot()
    assert (4, 1) == (len(suite.findall(".//testcase")), len(suite.findall(".//failure")))
    events = [body for _, body in receiver.taken]
    assert ["call.blocked", "call.blocked", "round.completed"] == sorted(event["type"] for event in events)
    schemas = json.loads(probe("schema").out)
    for event in events:
        jsonschema.validate(event, schemas[event["type"]])
    completed = next(event["data"] for event in events if event["type"] == "round.completed")
    assert (4, 4, 0) == tuple(completed["counts"][name] for name in ("planned", "placed", "guarded"))
    assert {"+12025550101", "+12025550102"} == {standing["caller"] for standing in completed["standing"]}


def test_a_change_of_standing_is_delivered_with_the_calls_that_changed_it(check, scenario, receiver, probe):
    path = scenario()
    path.write_text(path.read_text().replace("[round.completed, call.blocked]", "[number.standing_changed]"))
    assert 1 == check(path, "--repeat", "2").code
    events = [body for _, body in receiver.taken]
    schema = json.loads(probe("schema").out)["number.standing_changed"]
    calls = {call["id"]: call for call in probe("calls", "--json").lines}
    known = {}
    for event in events:
        jsonschema.validate(event, schema)
        before, after = event["data"]["before"], event["data"]["after"]
        key = after["caller"], after["network"]
        assert (known.get(key) or "unknown") == (before["standing"] if before else "unknown")
        known[key] = after["standing"]
        told = event["data"]["calls"]
        assert told
        assert told == [calls[call["id"]] for call in told]
    # What was told adds up to what is asked for.
    standings = {(one["caller"], one["network"]): one["standing"] for one in probe("standing", "--json").lines}
    assert "blocked" == standings["+12025550102", None]
    assert standings == {key: known.get(key, "unknown") for key in standings}


def test_the_table_in_a_pipe_has_no_colour_and_one_line_a_call(check, scenario):
    said = check(scenario("[answered, analytics_blocked]"))
    assert 0 == said.code
    assert "\x1b" not in said.out
    assert 4 == sum(line.startswith(("yes", "NO", "-")) for line in said.out.splitlines())
    assert "https://redress.example.com/r" in said.out


def test_a_webhook_that_is_down_costs_no_call_and_its_events_stay(check, scenario, probe, receiver):
    down = "http://127.0.0.1:9/"
    said = check(scenario(url=down), "--json")
    assert 4 == len(said.lines)
    assert "3 not delivered" in said.err
    listed = probe("webhook", "list", "--json").lines
    assert {"waiting"} == {delivery["state"] for delivery in listed}
    assert 3 == len(listed)
    assert [] == receiver.taken


def test_what_waits_is_replayed_with_the_same_id(check, scenario, probe, receiver):
    receiver.shutdown()
    receiver.server_close()
    path = scenario()
    check(path)
    ids = {delivery["id"] for delivery in probe("webhook", "list", "--json").lines}
    with ThreadingHTTPServer(receiver.server_address, Receiver) as again:
        again.taken = []
        threading.Thread(target=again.serve_forever, daemon=True).start()
        said = probe("webhook", "replay", "--scenario", path, env={"HOOK_SECRET": SECRET})
        again.shutdown()
    assert 0 == said.code, said.err
    assert ids == {event_id for event_id, _ in again.taken}


def test_the_secret_is_nowhere_in_what_is_written(check, scenario, tmp_path):
    said = check(scenario(), "--json")
    written = said.out + said.err + "".join(path.read_text("latin-1") for path in Path(tmp_path).glob("probe.db*"))
    assert SECRET not in written


def test_a_dry_run_lists_the_calls_and_places_none(check, scenario, probe):
    said = check(scenario(), "--dry-run")
    assert (0, 4) == (said.code, said.out.count("would dial"))
    assert "" == probe("calls", "--json").out


def test_webhook_test_sends_a_signed_event(probe, scenario, receiver):
    said = probe("webhook", "test", scenario(), "--json", env={"HOOK_SECRET": SECRET})
    assert (0, True, 204) == (said.code, said.json["delivered"], said.json["status"])
    assert "webhook.test" == receiver.taken[0][1]["type"]


def test_only_takes_the_callers_with_a_tag(check, scenario):
    path = scenario()
    path.write_text(
        path.read_text().replace("  - number: +12025550101\n", "  - number: +12025550101\n    tags: [quick]\n")
    )
    said = check(path, "--only", "quick", "--json", "--repeat", "2")
    assert ["+12025550101"] * 4 == [call["caller"] for call in said.lines]
    assert 2 == check(path, "--only", "slow").code


def test_on_github_a_finding_is_an_annotation(probe, scenario):
    said = probe("check", scenario(), env={"HOOK_SECRET": SECRET, "GITHUB_ACTIONS": "true"})
    assert "::error title=+12025550102 to +12025550190::analytics_blocked, expected answered" in said.err


LIMITED = "limits: {per_caller: [1/3s], per_destination: [10/1m], hours: '00:00-24:00'}"


@pytest.mark.parametrize(("max_wait", "code"), [("0", 4), ("20", 0)])
def test_a_limit_refuses_or_is_waited_for(check, scenario, max_wait, code):
    path = scenario("[answered, analytics_blocked]")
    path.write_text(path.read_text().replace("limits: none", LIMITED))
    said = check(path, "--json", "--max-wait", max_wait)
    assert code == said.code, said.err
    assert ("guarded" in {call["ending"] for call in said.lines}) is (code == 4)
