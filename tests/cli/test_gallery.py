"""The scenarios that need no container: the demo as `make demo` runs it, and the template for production."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SECRETS = {
    "CARRIER_A_USER": "probe-user",
    "CARRIER_A_PASSWORD": "a password",
    "WEBHOOK_SECRET": "whsec_" + "A" * 44,
}

pytestmark = pytest.mark.agent


def test_the_demo_shows_what_gets_through_and_leaves_its_results():
    done = subprocess.run(
        [sys.executable, SCENARIOS / "demo.py"],
        cwd=SCENARIOS.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "18 calls: 6 as expected, 12 NOT as expected" in done.stdout
    assert "9 call.blocked, 1 round.completed" in done.stdout
    deliveries = (SCENARIOS.parent / "results" / "demo-webhooks.jsonl").read_text().splitlines()
    assert 10 == len([json.loads(line) for line in deliveries])


def test_the_template_for_production_places_its_calls(probe, carrier, tmp_path):
    """The trunk is the simulator here, and no hours or windows hold: those depend on when the test runs."""
    text = (SCENARIOS / "number-health.yaml").read_text()
    for written, here in (
        ("sip:sbc.carrier.example:5061;transport=tls", f"sip:{carrier}"),
        ("calls_per_second: 1", "calls_per_second: 20"),
        ("[1/1m, 3/15m, 5/1h, 10/1d]", "[10/1m]"),
        ("hours: 09:00-20:00", "hours: 00:00-24:00"),
        ("hold: 6s", "hold: 1s"),
        ("https://hooks.example.com/number-health", "http://127.0.0.1:9/"),
    ):
        assert written in text
        text = text.replace(written, here)
    path = tmp_path / "number-health.yaml"
    path.write_text(text)
    said = probe("check", path, "--json", env=SECRETS)
    endings = {(call["caller"][-1], call["callee"][-1]): call["ending"] for call in said.lines}
    assert {("1", "1"): "answered", ("1", "2"): "answered", ("2", "1"): "refused", ("2", "2"): "refused"} == endings


def test_the_template_is_valid_as_it_stands(probe):
    assert 0 == probe("validate", SCENARIOS / "number-health.yaml", env=SECRETS).code
