"""`probe check` against a far end that sends a known 603+: the scenario of the gallery, and damage by the simulator."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

SCENARIO = Path(__file__).parents[2] / "scenarios" / "survival.yaml"
CALLEE = "+12025550120"

pytestmark = pytest.mark.agent


@pytest.fixture
def scenario(tmp_path, carrier):
    """The scenario of the gallery, at the simulator's port, over several trunks if need be."""

    def write(callees=None, *, name="survival", **fields):
        tree = yaml.load(SCENARIO.read_text(), Loader=yaml.BaseLoader)
        assert tree["trunk"]["uri"] == "sip:127.0.0.1:15060"
        tree["trunk"] |= {"uri": f"sip:{carrier}", "name": f"over-{name}", "calls_per_second": "20"}
        if callees is not None:
            first = tree["destinations"][0]
            tree["destinations"] = [first | fields | {"number": callee} for callee in callees]
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(tree))  # which is YAML, too
        return path

    return write


def parts(said, callee):
    """The row of the table for a callee: what became of each part."""
    (row,) = [line.split() for line in said.splitlines() if line.startswith("over-") and callee in line]
    return dict(zip(("status", "phrase", "cause", "text", "location", "id"), row[2:], strict=True))


def test_the_scenario_of_the_gallery_comes_back_whole(probe, scenario):
    said = probe("check", scenario())
    assert 0 == said.code, said.out
    assert "603+ survival" in said.out
    assert "over-survival: 3 of 3 came back whole.\n" in said.out
    for callee in (CALLEE, "+12025550121", "+12025550123"):
        assert {"intact"} == set(parts(said.out, callee).values())


def test_each_damage_is_told_with_what_was_sent_and_what_came(probe, scenario, tmp_path):
    damaged = ["+12025550130", "+12025550131", "+12025550132", "+12025550138", "+12025550190"]
    said = probe("check", scenario([CALLEE, *damaged]), "--junit", tmp_path / "report.xml")
    assert 1 == said.code
    assert (
        "over-survival: 1 of 6 came back whole; damaged: status (2), phrase (3), cause (2), Reason text (3)" in said.out
    )
    assert {"changed"} == {parts(said.out, "+12025550130")["phrase"]}
    assert "sent Network Blocked, came Decline" in said.out
    assert ["intact", "intact", "lost", "lost", "lost", "lost"] == [*parts(said.out, "+12025550131").values()]
    assert ["changed", "changed", "intact", "intact", "intact", "intact"] == [*parts(said.out, "+12025550132").values()]
    assert "changed" == parts(said.out, "+12025550138")["text"]
    assert "(smart_quotes" in said.out
    assert "sent 603, came 200" in said.out
    suite = ET.parse(tmp_path / "report.xml").getroot()
    assert ("6", "5", "0") == tuple(suite.get(name) for name in ("tests", "failures", "errors"))
    assert {"notice_damaged"} == {failure.get("type") for failure in suite.iter("failure")}
    first = next(case for case in suite.iter("testcase") if CALLEE in case.get("name"))
    assert {"intact"} == {one.get("value") for one in first.iter("property")}
    assert "603+ text" in {one.get("name") for one in first.iter("property")}


def test_what_was_expected_instead_is_no_finding(probe, scenario):
    path = scenario(["+12025550130"], expect="analytics_suspected")
    assert 0 == probe("check", path).code
    assert 1 == probe("check", scenario(["+12025550130"], expect="answered")).code


def test_trunks_stand_beside_one_another(probe, scenario):
    good, bad = scenario([CALLEE], name="good"), scenario(["+12025550131"], name="bad")
    said = probe("check", good, bad)
    assert 1 == said.code
    assert "over-good: 1 of 1 came back whole.\n" in said.out
    assert "over-bad: 0 of 1 came back whole; damaged: cause (1), Reason text (1), location (1), id (1).\n" in said.out


def test_in_json_the_calls_stand_alone_and_the_table_is_the_story(probe, scenario):
    said = probe("check", scenario(["+12025550130"]), "--json")
    assert (1, "603") == (said.code, str(said.lines[0]["status"]))
    assert "603+ survival" in said.err
    assert "survival" not in json.dumps([{**line, "scenario": ""} for line in said.lines]).replace("over-survival", "")


def test_a_far_end_that_rings_for_ever_sent_nothing(probe, scenario):
    path = scenario(["+12025550194"])
    path.write_text(path.read_text().replace('"ring_limit": "5s"', '"ring_limit": "1s"'))
    said = probe("check", path)
    assert 1 == said.code
    assert {"lost"} == set(parts(said.out, "+12025550194").values())


def test_a_far_end_that_says_nothing_was_not_tested(probe, scenario):
    path = scenario(["+12025550194"])
    path.write_text(
        path.read_text().replace(path.read_text().partition('"uri": "')[2].partition('"')[0], "sip:127.0.0.1:9")
    )
    said = probe("check", path)
    assert 3 == said.code
    assert "603+ survival" not in said.out


def test_on_github_a_damage_is_an_annotation(probe, scenario):
    said = probe("check", scenario(["+12025550130"]), env={"GITHUB_ACTIONS": "true"})
    assert "::error title=over-survival%3A the 603+ of +12025550130 did not survive::phrase: sent Network" in said.err
