"""The commands that place no call: explain, validate, schema, sim --list, help; and mistakes of the user."""

import json
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "data" / "corpus"


def test_explain_of_a_code_needs_no_file(probe):
    said = probe("explain", "603")
    assert 0 == said.code
    assert "rejected_ambiguous" in said.out


@pytest.mark.parametrize("name", ["A01", "B04", "C01", "D01", "F01"])
def test_explain_reads_a_message_as_the_corpus_says(probe, name):
    sample = json.loads((CORPUS / f"{name}.json").read_text())
    at_ms = {"--alerting-ms": "alerting", "--early-media-ms": "early_media", "--final-ms": "final"}
    timing = [
        word for option, key in at_ms.items() if (ms := sample["at_ms"][key]) is not None for word in (option, ms)
    ]
    said = probe("explain", "-", "--json", *timing, stdin=(CORPUS / f"{name}.sip").read_bytes())
    expected = sample["expect"]
    assert 0 == said.code
    assert ["status", "phrase", "reasons", "notice", "verdict", "next_steps"] == list(said.json)
    assert expected["disposition"] == said.json["verdict"]["disposition"]
    assert expected["confidence"] == said.json["verdict"]["confidence"]
    assert expected["flags"] == said.json["verdict"]["flags"]
    assert said.json["next_steps"]


@pytest.mark.parametrize(
    "message", [b"", b"\x00\xff\x1b[31m" * 50, b"HTTP/1.1 200 OK\r\n\r\n", b"SIP/2.0 180 Ringing\r\n\r\n"]
)
def test_explain_of_what_is_no_final_response_is_one_sentence(probe, message):
    said = probe("explain", stdin=message)
    assert (2, 1) == (said.code, said.err.count("\n"))


def test_hostile_text_does_not_reach_the_terminal(probe):
    raw = b'SIP/2.0 603 Net\x1b[2Jwork\r\nReason: SIP;cause=603;text="v=analytics1;url=https://a.example/\x1b]0;x\x07"\r\n\r\n'
    said = probe("explain", "-", stdin=raw)
    assert "\x1b" not in said.out
    assert "\x07" not in said.out


def test_validate_tells_of_every_file(probe, tmp_path):
    (tmp_path / "bad.yaml").write_text("trunk: {uri: sip:sbc.example.com}\nverbosity: 3\n")
    good = tmp_path / "good.yaml"
    good.write_text((ROOT / "scenarios" / "asterisk.yaml").read_text())
    said = probe("validate", tmp_path / "bad.yaml", good, env={"PROBE_TEST_PASSWORD": "a-password"})
    assert 2 == said.code
    assert "bad.yaml:2" in said.err
    assert "good.yaml: ok" in said.out


def test_a_missing_environment_variable_is_told_with_file_line_and_key(probe):
    said = probe("validate", ROOT / "scenarios" / "asterisk.yaml")
    assert 2 == said.code
    assert "asterisk.yaml:11: trunk.password" in said.err.replace(str(ROOT / "scenarios") + "/", "")
    assert "PROBE_TEST_PASSWORD" in said.err


def test_schema_is_a_schema(probe):
    schemas = json.loads(probe("schema").out)
    assert {"scenario", "call", "call.blocked", "round.completed"} <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_sim_lists_its_numbers_and_the_readme_has_them(probe):
    listed = probe("sim", "--list", "--json").lines
    readme = (ROOT / "README.md").read_text()
    assert [] == [row["number"] for row in listed if f"| `{row['number']}` | {row['does']} |" not in readme]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["call", "+12025550190"],
        ["call", "+12025550190", "--from", "+12025550101", "--trunk-uri", "http://example.com"],
        ["check", "no-such-file.yaml"],
        ["calls", "--disposition", "nonsense"],
        ["explain", "no-such-file.sip"],
        ["call", "+12025550190", "--from", "abc", "--trunk-uri", "sip:192.0.2.1"],
        ["call", "+12025550190", "--from", "+12025550101", "--trunk-uri", "sip:192.0.2.1", "--ring-limit", "nan"],
    ],
)
def test_a_mistake_of_the_user_is_exit_code_2(probe, arguments):
    said = probe(*arguments)
    assert 2 == said.code
    assert "" == said.out


def test_show_of_an_unknown_call_says_so(probe):
    said = probe("show", "no-such-call")
    assert said.code in {2, 3}
    assert 1 == said.err.count("\n")


def test_a_webhook_in_the_clear_is_refused_before_anything_is_dialled(probe, tmp_path):
    path = tmp_path / "clear.yaml"
    path.write_text(
        "trunk: {name: x, uri: 'sip:127.0.0.1:9'}\n"
        "callers: [{number: +12025550101}]\n"
        "destinations: [{number: +12025550190, consent: ours}]\n"
        "limits: none\n"
        "webhook: {url: 'http://hooks.example.com/x', secret: '${HOOK_SECRET}', events: [call.blocked]}\n"
    )
    said = probe("validate", path, env={"HOOK_SECRET": "whsec_" + "A" * 44})
    assert (2, 1) == (said.code, said.err.count("\n"))
    assert "https" in said.err
