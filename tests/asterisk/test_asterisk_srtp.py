"""A trunk that wants encrypted media: a call that offers SRTP is answered and heard, any other is refused."""

import json
import os
import subprocess
import sys

import pytest

SCENARIO = """
trunk:
  name: encrypted
  uri: sip:localhost:{port};transport=tls
  srtp: {srtp}
  tls: {{ca_file: {ca_file}}}
callers: [{{number: +12025550101}}]
destinations: [{{number: +12025550183, consent: a number of the test container}}]
call: {{ring_limit: 4s, hold: 1s}}
limits: none
"""


@pytest.fixture
def call(asterisk, tmp_path):
    def call(srtp):
        path = tmp_path / "srtp.yaml"
        path.write_text(SCENARIO.format(port=asterisk.tls_port, ca_file=asterisk.ca_file, srtp=srtp))
        done = probe("check", path, "--json")
        return json.loads(done)

    def probe(*arguments):
        command = [sys.executable, "-m", "probe", *map(str, arguments), "--store", f"sqlite:///{tmp_path}/a.db"]
        return subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False).stdout

    call.probe = probe
    return call


def test_a_call_with_srtp_is_answered_and_its_media_is_encrypted_both_ways(call):
    placed = call("required")
    assert ("answered", 200) == (placed["ending"], placed["status"])
    assert {"tls_verify": True, "srtp": "required", "media_encrypted": True} == placed["security"]
    shown = call.probe("show", placed["id"])
    sent, received = (int(word) for word in shown.partition("RTP packets: ")[2].split()[0:3:2])
    assert min(sent, received) > 20, shown
    assert "encrypted (SRTP)" in shown
    assert "inline:***" in shown


def test_a_call_without_srtp_is_refused_for_its_media(call):
    placed = call("off")
    assert ("refused", 488, "media_incompatible") == (
        placed["ending"],
        placed["status"],
        placed["verdict"]["disposition"],
    )
    assert {"tls_verify": True, "srtp": "off", "media_encrypted": None} == placed["security"]
