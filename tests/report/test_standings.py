import re
from datetime import timedelta

from placed import BLOCKED, START, answered, refused

from probe.health import assess
from probe.report.lines import as_text
from probe.report.standings import standings_table
from report.samples import HOSTILE, a_check


def rows(calls):
    lines = as_text(standings_table(assess(calls), width=None)).splitlines()
    return [re.split(r"  +", line) for line in lines]


def test_a_caller_has_one_row_that_names_its_networks():
    calls = [
        refused(*BLOCKED, network="verizon"),
        refused(*BLOCKED, at=START + timedelta(minutes=1), network="t-mobile"),
        refused(*BLOCKED, at=START + timedelta(minutes=2), network="t-mobile"),
        answered(at=START + timedelta(minutes=3), network="att"),
        refused("603 Decline", at=START + timedelta(minutes=4), network="us-cellular"),
    ]
    row = ["+12025550101", "blocked", "3 of 4", "t-mobile, verizon", "att", "us-cellular"]
    assert row == rows(calls)[1]


def test_without_networks_the_columns_are_empty():
    assert ["+12025550101", "unknown", "0 of 1", "-", "-", "-"] == rows([answered(network=None)])[1]


def test_no_calls_make_no_table():
    assert [] == rows([])


def test_hostile_names_stay_in_their_row():
    assert "\x1b" not in as_text(standings_table(assess([answered(caller=HOSTILE, network=HOSTILE)]), width=None))
    assert len(rows(a_check())) == len(rows([*a_check(), answered(network="\n\n")]))
