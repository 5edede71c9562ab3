from datetime import timedelta

from placed import BLOCKED, START, answered, refused

from probe.health import assess
from probe.report.lines import as_text
from probe.report.standings import standings_table
from report.samples import HOSTILE, a_check


def rows(calls):
    return [line.split() for line in as_text(standings_table(assess(calls), width=None)).splitlines()]


def test_a_row_for_each_caller_and_network_and_one_for_all_networks():
    calls = [
        refused(*BLOCKED, at=START + timedelta(minutes=number), network=network)
        for number, network in enumerate(["verizon", "verizon", "t-mobile"])
    ]
    assert [
        ["+12025550101", "t-mobile", "suspect", "1", "of", "1", "0", "0", "0"],
        ["+12025550101", "verizon", "suspect", "2", "of", "2", "0", "0", "0"],
        ["+12025550101", "all", "blocked", "3", "of", "3", "0", "0", "0"],
    ] == rows(calls)[1:]


def test_a_caller_on_one_network_has_one_row():
    assert 2 == len(rows([answered()]))


def test_no_calls_make_no_table():
    assert [] == rows([])


def test_hostile_names_stay_in_their_row():
    assert "\x1b" not in as_text(standings_table(assess([answered(caller=HOSTILE, network=HOSTILE)]), width=None))
    assert len(rows(a_check())) == len(rows([*a_check(), answered(network="\n\n")])) - 1
