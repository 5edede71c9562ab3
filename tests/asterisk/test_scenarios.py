"""The gallery's scenarios for Asterisk, run by `probe check` as a user would: every verdict as the file expects."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture
def check(asterisk, tmp_path):
    """Run a scenario of the gallery against this test's own container, which has other ports than the file says."""

    def run(name, *options):
        text = (SCENARIOS / f"{name}.yaml").read_text()
        text = text.replace("127.0.0.1:5080", f"{asterisk.host}:{asterisk.port}")
        text = text.replace("localhost:5081", f"localhost:{asterisk.tls_port}")
        text = text.replace("../results/asterisk/ca.pem", asterisk.ca_file)
        text = text.replace("file: callers.csv", f"file: {SCENARIOS / 'callers.csv'}")
        scenario = tmp_path / f"{name}.yaml"
        scenario.write_text(text)
        environment = {**os.environ, "PROBE_TEST_PASSWORD": asterisk.password}
        command = [sys.executable, "-m", "probe", "check", scenario, "--json", "--store", f"sqlite:///{tmp_path}/a.db"]
        done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    return run


def verdicts(calls):
    return {(call["caller"][-3:], call["callee"][-3:]): call["verdict"]["disposition"] for call in calls}


def unexpected(calls):
    return [
        (call["caller"], call["callee"], call["status"], call["verdict"]["disposition"], call["detail"])
        for call in calls
        if not call["as_expected"]
    ]


GALLERY = [
    ("asterisk", 120),
    ("asterisk-tcp", 21),
    ("asterisk-tls", 21),
    ("registration", 1),
    ("csv", 4),
    ("ci", 4),
]


@pytest.mark.parametrize(("name", "planned"), GALLERY)
def test_every_call_of_the_scenario_is_as_expected(check, name, planned):
    done, calls = check(name)
    assert [] == unexpected(calls), done.stderr[-2000:]
    assert planned == len(calls)
    assert 0 == done.returncode


def test_the_same_number_is_blocked_from_one_caller_and_rings_from_another(check, tmp_path):
    report = tmp_path / "report.xml"
    _, calls = check("asterisk-tcp", "--junit", str(report))
    found = verdicts(calls)
    assert ("answered", "analytics_blocked", "analytics_blocked") == (
        found["101", "153"],
        found["102", "153"],
        found["103", "153"],
    )
    suite = ET.parse(report).getroot()
    assert 21 == len(suite.findall(".//testcase"))


def test_the_notice_names_the_blocker_and_where_to_complain(check):
    _, calls = check("asterisk-tls")
    notice = next(call["notice"] for call in calls if call["caller"].endswith("102"))
    assert ("603+", "conformant", "RLN") == (notice["kind"], notice["conformance"], notice["location"])
    assert "https://redress.example.com/r" == notice["url"]


def test_a_digest_challenge_is_answered_and_no_credential_is_kept(check, asterisk, tmp_path):
    _, calls = check("asterisk-tcp")
    answered = [call for call in calls if call["callee"][-3:] in {"180", "181"} and call["caller"].endswith("101")]
    assert ["answered", "answered"] == [call["ending"] for call in answered]
    for path in tmp_path.glob("a.db*"):
        stored = path.read_bytes()
        assert asterisk.password.encode() not in stored
        assert b'response="' not in stored
