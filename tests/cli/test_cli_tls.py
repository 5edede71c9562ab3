"""Certificates that do not hold, from the command line: nothing is sent, and it is told why."""

import pytest
from agent.far_end import FarEnd, reply
from certified import certificate_for, served

BAD = ["unknown", "other", "old"]
SCENARIO = """
trunk:
  name: secure
  uri: sip:localhost:{port};transport=tls
  tls: {tls}
callers: [{{number: +12025550101}}]
destinations: [{{number: +12025550190, consent: a far end}}]
call: {{ring_limit: 2s}}
limits: none
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """`good`, and three that do not hold; all but `unknown` stand in `authorities.pem`."""
    folder = tmp_path_factory.mktemp("certificates")
    hosts = {"good": "localhost", "unknown": "localhost", "other": "other.example.com", "old": "localhost"}
    for name, host in hosts.items():
        certificate_for(folder / f"{name}.pem", host, last_day=-1 if name == "old" else 1)
    known = [(folder / f"{name}.pem").read_text().partition("-----BEGIN CERT")[2] for name in ("good", "other", "old")]
    (folder / "authorities.pem").write_text("".join(f"-----BEGIN CERT{text}" for text in known))
    return folder


def answers(asked):
    if asked.method in {"INVITE", "OPTIONS"}:
        yield reply(asked, "603 Decline")


@pytest.fixture
def write(certificates, tmp_path):
    def write(*, port, tls=None):
        path = tmp_path / "secure.yaml"
        path.write_text(SCENARIO.format(port=port, tls=tls or f"{{ca_file: {certificates}/authorities.pem}}"))
        return path

    return write


def findings(said):
    return {line["what"]: (line["ok"], line["words"]) for line in said.lines}


def test_a_certificate_that_holds_is_taken(probe, write, certificates):
    with FarEnd(answers, "tls", tls=served(certificates / "good.pem")) as far:
        said = probe("check", write(port=far.port), "--json")
    assert ("refused", 603, {"tls_verify": True, "srtp": "off", "media_encrypted": None}) == (
        said.json["ending"],
        said.json["status"],
        said.json["security"],
    )


def test_a_trunk_whose_certificate_does_not_hold_hears_nothing_and_could_not_be_tested(probe, write, certificates):
    with FarEnd(answers, "tls", tls=served(certificates / "other.pem")) as far:
        said = probe("check", write(port=far.port), "--json")
        assert [] == far.heard
    assert (3, "no_response", None, "inconclusive") == (
        said.code,
        said.json["ending"],
        said.json["status"],
        said.json["verdict"]["disposition"],
    )
    assert said.json["detail"].startswith("TLS connection failed: ")
    assert said.json["security"]["tls_verify"]


@pytest.mark.parametrize("shown", BAD)
def test_doctor_says_which_certificate_does_not_hold(probe, write, certificates, shown):
    with FarEnd(answers, "tls", tls=served(certificates / f"{shown}.pem")) as far:
        said = probe("doctor", write(port=far.port), "--json")
        assert [] == far.heard
    ok, words = findings(said)["tls"]
    assert (3, False) == (said.code, ok)
    assert words.startswith("the certificate is refused: ")


def test_who_turns_verification_off_is_told_so_everywhere(probe, write, certificates):
    with FarEnd(answers, "tls", tls=served(certificates / "old.pem")) as far:
        path = write(port=far.port, tls="{verify: no-anyone-can-listen-in}")
        call = probe("check", path, "--json").json
        shown = probe("show", call["id"]).out
        doctor = findings(probe("doctor", path, "--json"))
        validated = probe("validate", path).err
    assert (603, False) == (call["status"], call["security"]["tls_verify"])
    assert "the trunk's certificate was NOT verified" in shown
    assert (False, True) == (doctor["tls"][0], doctor["tls"][1].endswith("the certificate is NOT verified"))
    assert (True, "built in; the trunk has it off") == doctor["srtp"]
    danger = "trunk.tls.verify is no-anyone-can-listen-in: whoever stands on the way can read and change every message"
    assert f"{danger}." == doctor["security"][1]
    assert danger in validated
