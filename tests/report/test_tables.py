import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placed import BLOCKED, START, answered, placed, refused, request, response, unplaced

from probe.call import Direction, Ending
from probe.report.lines import BLANK, as_text
from probe.report.notices import complaints
from probe.report.tables import calls_table, expected_mark, summary, what_happened
from probe.report.text import cell_width
from report.samples import ANSWERED, FLAWED, GOLDEN, HOSTILE, a_check


def page(calls, width, planned=9):
    table, told = calls_table(calls, width=width), complaints(calls, width=width)
    return as_text([*table, BLANK, *told, BLANK, summary(calls, planned=planned, width=width)])


@pytest.mark.parametrize(("name", "width"), [("pipe", None), ("80", 80), ("100", 100), ("160", 160)])
def test_a_check_looks_as_it_should(name, width):
    assert (GOLDEN / f"check_{name}.txt").read_text(encoding="utf-8") == page(a_check(), width)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width):
    hostile = refused(f"603 {HOSTILE * 500}", at=START, network="a-long-network-name")
    lines = as_text(calls_table([*a_check(), hostile], width=width)).splitlines()
    assert not [line for line in lines if cell_width(line) > width]
    assert len(lines) < 60


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(categories=None, exclude_characters="\r\n"), max_size=60))
def test_a_pipe_gets_one_line_a_call_whatever_the_network_sends(phrase):
    call = refused("603 " + phrase.encode("utf-8", "replace").decode(), caller="+12025550102")
    rows = as_text(calls_table([answered(), call], width=None)).split("\n")
    assert 4 == len(rows)
    assert ["+12025550102", "+12025550191", "verizon"] == rows[2].split()[2:5]


def test_a_pipe_cuts_nothing():
    phrase = "Declined " + "x" * 3_000
    assert phrase in as_text(calls_table([refused(f"603 {phrase}")], width=None))


def test_calls_of_several_days_show_their_date():
    later = answered(at=START.replace(day=23))
    shown = as_text(calls_table([answered(), later], width=100))
    assert "11-22 10:00" in shown
    assert "11-23 10:00" in shown


def test_no_calls_are_said_in_words():
    assert "No calls.\n" == as_text(calls_table([], width=100))


def test_our_own_ending_stands_beside_what_came_back():
    call = refused("487 Request Terminated", ms=25_020, rang_ms=900, ending=Ending.RING_LIMIT)
    assert "487 Request Terminated after 25.0 s, we cancelled at the ring limit" == what_happened(call)


def test_nothing_off_the_wire_is_said_in_our_words():
    assert "our own agent failed: no port was free" == what_happened(unplaced(Ending.AGENT_FAILED, "no port was free"))


TRYING = (4.0, Direction.RECEIVED, response(request(), "100 Trying"))


@pytest.mark.parametrize(
    ("mark", "call"),
    [
        ("yes", answered(expect=ANSWERED)),
        ("NO", refused("486 Busy Here", expect=ANSWERED)),
        ("-", refused("486 Busy Here")),
        ("untested", unplaced(Ending.GUARDED, "on no list", expect=ANSWERED)),
        ("untested", unplaced(Ending.NO_RESPONSE, "silent")),
        ("untested", placed(TRYING, ending=Ending.RING_LIMIT)),
        ("NO", placed(TRYING, ending=Ending.RING_LIMIT, expect=ANSWERED)),
    ],
)
def test_not_run_is_never_success(mark, call):
    assert mark == expected_mark(call)


def test_the_sum_of_a_complete_check_names_no_plan():
    assert "1 call: 1 with nothing expected" == as_text([summary([answered()], planned=1, width=None)]).strip()


def test_nothing_placed_is_summed_up_too():
    assert "0 of 3 planned calls" == as_text([summary([], planned=3, width=80)]).strip()


def test_complaints_are_folded_over_calls_and_networks():
    calls = [refused(*BLOCKED, network=network) for network in ("verizon", "t-mobile", "verizon")]
    told = as_text(complaints(calls, width=None))
    assert 1 == told.count("https://redress.example.com/r")
    assert "on t-mobile, verizon, 3 calls" in told


def test_a_contact_that_must_not_be_used_says_so():
    told = as_text(complaints([refused(*FLAWED)], width=None))
    assert "https://127.0.0.1/r  do not use: bad_redress_url" in told
    assert "+19005550100  do not use: premium_redress_tel" in told


def test_a_notice_without_contacts_says_so():
    assert "It names no contact." in as_text(complaints([refused("608 Rejected")], width=None))


def test_calls_without_a_notice_have_nobody_to_complain_to():
    assert () == complaints([answered()], width=100)
