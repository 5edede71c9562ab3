from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from placed import answered, refused, unplaced

from probe.call import Ending
from probe.report.junit import junit
from report.samples import ANSWERED, HOSTILE, a_check


def outcomes(calls, planned=None):
    root = ET.fromstring(junit(calls, planned=len(calls) if planned is None else planned))
    return root, [[child.tag for child in case if child.tag != "system-out"] for case in root.iter("testcase")]


def test_one_case_a_call_and_one_suite_a_scenario():
    root, cases = outcomes(a_check())
    assert ["daily", "probe"] == [suite.get("name") for suite in root]
    assert ["+12025550101 -> +12025550191", "daily"] == [
        next(root.iter("testcase")).get(key) for key in ("name", "classname")
    ]
    assert [[], ["failure"], [], ["failure"], [], ["error"], ["error"]] == cases


def test_the_counts_add_up():
    root, _ = outcomes(a_check())
    assert ["7", "2", "2"] == [root.get(key) for key in ("tests", "failures", "errors")]
    assert [("4", "2", "0"), ("3", "0", "2")] == [
        tuple(suite.get(key) for key in ("tests", "failures", "errors")) for suite in root
    ]


def test_a_failure_says_what_was_expected_and_what_came():
    root, _ = outcomes([refused("486 Busy Here", expect=ANSWERED)])
    failure = root.find(".//failure")
    assert "expected answered, was user_busy (certain): 486 Busy Here after 412 ms" == failure.get("message")
    assert "user_busy" == failure.get("type")


def test_a_guard_refusal_is_never_success():
    _, cases = outcomes([unplaced(Ending.GUARDED, "on no list")])
    assert [["error"]] == cases


def test_a_call_that_was_planned_and_never_placed_is_an_error():
    root, cases = outcomes([answered()], planned=3)
    assert [[], ["error"]] == cases
    assert "2 of 3 planned calls were not placed" == root.find(".//error").get("message")
    assert ["2", "0", "1"] == [root.get(key) for key in ("tests", "failures", "errors")]


def test_no_calls_at_all_are_an_error_when_some_were_planned():
    assert [["error"]] == outcomes([], planned=1)[1]


def test_hostile_text_makes_valid_xml():
    root, _ = outcomes([refused(f"603 {HOSTILE}]]><x>&", expect=ANSWERED, scenario=HOSTILE)])
    assert r"\x1b[2J" in root.find(".//failure").get("message")
    assert "]]><x>&" in root.find(".//failure").get("message")


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(categories=None)))
def test_any_unicode_makes_valid_xml(text):
    outcomes([unplaced(Ending.AGENT_FAILED, text, scenario=text, caller=text)])
