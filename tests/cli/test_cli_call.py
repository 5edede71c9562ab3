"""`probe call`: promises of the interface, against the simulator."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

PROMISED = (
    "id scenario site trunk caller callee network started_at ended_at ending status phrase reasons provisional "
    "timing notice verdict expected as_expected sip_call_id"
)
GOOD, BAD = "+12025550101", "+12025550102"
ORDINARY, RINGS_FOR_EVER, SILENT, BUSY = "+12025550190", "+12025550194", "+12025550195", "+12025550180"

pytestmark = pytest.mark.agent


@pytest.fixture
def call(probe, carrier):
    def place(callee, caller=GOOD, *more, uri=None):
        trunk = ("--trunk-uri", uri or f"sip:{carrier}")
        consent = () if "--no-consent" in more else ("--consent", "a number of the simulator")
        rest = [option for option in more if option != "--no-consent"]
        return probe("call", callee, "--from", caller, *trunk, *consent, "--hold", "0.3", *rest)

    return place


def test_a_blocked_call_says_who_blocked_it_and_where_to_complain(call):
    said = call(ORDINARY, BAD, "--json")
    assert 0 == said.code
    assert (603, "Network Blocked", "refused") == (said.json["status"], said.json["phrase"], said.json["ending"])
    assert "conformant" == said.json["notice"]["conformance"]
    assert "https://redress.example.com/r" == said.json["notice"]["url"]
    assert "analytics_blocked" == said.json["verdict"]["disposition"]


def test_json_has_every_promised_key_and_nothing_else_on_stdout(call):
    document = call(ORDINARY, BAD, "--json").json
    promised = PROMISED.split()
    assert promised == [key for key in document if key in promised]
    assert ["alerting_ms", "early_media_ms", "final_ms", "answered_ms", "talk_ms"] == list(document["timing"])


def test_calls_of_two_processes_have_two_call_ids_even_where_both_were_forked_from_one(call):
    one, other = (call(BUSY, GOOD, "--json").json["sip_call_id"] for _ in range(2))
    assert one != other


def test_an_answered_call_is_held_and_ended(call):
    document = call(ORDINARY, GOOD, "--json", "--network", "verizon").json
    assert ("answered", 200, "verizon") == (document["ending"], document["status"], document["network"])
    assert 250 <= document["timing"]["talk_ms"] <= 1500
    assert document["timing"]["alerting_ms"] < document["timing"]["answered_ms"]


@pytest.mark.parametrize(
    ("callee", "expect", "code"),
    [(ORDINARY, "answered", 0), (ORDINARY, "user_busy", 1), (BUSY, "user_busy", 0), (BUSY, "answered,no_answer", 1)],
)
def test_an_expectation_decides_between_0_and_1(call, callee, expect, code):
    said = call(callee, GOOD, "--json", "--expect", expect)
    assert code == said.code
    assert (code == 0) is said.json["as_expected"]


def test_ringing_for_ever_ends_by_cancel_and_is_no_answer(call):
    document = call(RINGS_FOR_EVER, GOOD, "--json", "--ring-limit", "1").json
    assert ("ring_limit", "no_answer") == (document["ending"], document["verdict"]["disposition"])


def test_silence_is_no_status_and_no_success(call):
    said = call(SILENT, GOOD, "--json", "--ring-limit", "1", "--expect", "no_answer")
    assert 3 == said.code
    assert (None, None, []) == (said.json["status"], said.json["phrase"], said.json["reasons"])
    assert ("no_response", "inconclusive") == (said.json["ending"], said.json["verdict"]["disposition"])
    assert said.json["as_expected"] is None


def test_a_callee_on_no_list_is_refused_without_consent(call):
    said = call(ORDINARY, GOOD, "--json", "--no-consent")
    assert (4, "guarded") == (said.code, said.json["ending"])


@pytest.mark.parametrize("callee", ["911", "112", "988", "999", "411", "+1911", "+19005550123", "+881612345678"])
def test_consent_lifts_no_barred_number(call, probe, callee):
    said = call(callee, GOOD, "--json")
    assert (4, "guarded") == (said.code, said.json["ending"])
    assert "guarded" == probe("calls", "--json").json["ending"]  # each refusal is recorded


@pytest.mark.parametrize("callee", ["nobody", "+1202", "12 34 56 78 90 12 34 56 78", "sip:+12025550190@example.com"])
def test_a_callee_that_is_no_number_is_the_users_mistake(call, callee):
    said = call(callee)
    assert said.code in {2, 4}
    assert said.err.count("\n") <= 1


def test_a_host_that_does_not_resolve_is_told_in_words(probe, tmp_path):
    # With a trunk beyond this machine limits hold, and by default the hours of the called party: it may be night there.
    scenario = tmp_path / "far.yaml"
    scenario.write_text(
        f"trunk: {{name: far, uri: 'sip:no-such-host.invalid'}}\n"
        f"callers: [{{number: {GOOD!r}}}]\n"
        f"destinations: [{{number: {ORDINARY!r}, consent: our own line}}]\n"
        f"limits: {{hours: '00:00-24:00'}}\n"
    )
    said = probe("call", ORDINARY, "--from", GOOD, "--scenario", scenario, "--json")
    assert (3, None) == (said.code, said.json["status"])
    assert "does not resolve" in json.dumps(said.json)


def test_a_refused_connection_is_told_in_words(call):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    said = call(ORDINARY, GOOD, "--json", uri=f"sip:127.0.0.1:{port};transport=tcp")
    assert (3, None) == (said.code, said.json["status"])
    assert "Connection refused" in json.dumps(said.json)


def test_a_dry_run_places_nothing(call, probe):
    assert 0 == call(ORDINARY, GOOD, "--dry-run").code
    assert 4 == call("911", GOOD, "--dry-run").code
    assert "" == probe("calls", "--json").out


def test_a_pcap_of_the_call_is_written(call, tmp_path):
    call(ORDINARY, BAD, "--pcap", tmp_path / "call.pcap")
    assert b"603 Network Blocked" in (tmp_path / "call.pcap").read_bytes()


def test_the_story_is_told_in_words(call):
    said = call(ORDINARY, BAD)
    for words in ("Blocked by call analytics", "https://redress.example.com/r", "Next steps", "INVITE", "ACK"):
        assert words in said.out


def test_show_finds_the_call_by_the_beginning_of_its_id(call, probe):
    document = call(ORDINARY, BAD, "--json").json
    shown = probe("show", document["id"][:30])
    assert 0 == shown.code
    assert "SIP/2.0 603 Network Blocked" in shown.out
    assert document == probe("show", document["id"], "--json").json


def test_ctrl_c_in_a_ringing_call_cancels_it(probe, carrier):
    command = [sys.executable, "-m", "probe", "call", RINGS_FOR_EVER, "--from", GOOD, "--json"]
    command += ["--trunk-uri", f"sip:{carrier}", "--consent", "a number of the simulator"]
    with subprocess.Popen(command, env=probe.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        await_ringing(probe)
        told = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    assert time.monotonic() - told < 6  # a busy machine; the phone would ring for 25 s
    assert 3 == process.returncode
    assert "stopped" == json.loads(out)["ending"]
    shown = probe("show", json.loads(out)["id"]).out
    assert "CANCEL" in shown


def await_ringing(probe):
    """The call rings once its attempt is in the store and the simulator's 180 had its 100 ms."""
    path = probe.environment["PROBE_STORE"].removeprefix("sqlite:///")
    for _ in range(200):
        try:
            with sqlite3.connect(path) as database:
                if database.execute("select count(*) from call").fetchone()[0]:
                    time.sleep(0.5)
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.05)
    raise AssertionError("the call never began")


def test_a_capture_that_cannot_be_written_rings_no_phone(call, probe, tmp_path):
    said = call(ORDINARY, BAD, "--pcap", tmp_path / "no-such-folder" / "call.pcap")
    assert (2, 1) == (said.code, said.err.count("\n"))
    assert "" == probe("calls", "--json").out
