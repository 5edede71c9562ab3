import re
from dataclasses import replace
from datetime import timedelta

import pytest
from placed import BLOCKED, START, answered, refused

from probe.health import Accounts, Case, NoticeSeen, State, observe
from probe.health.standing import Standing
from probe.report.contacts import contacts_of
from probe.report.lines import as_text
from probe.report.number import number
from probe.report.profile import Profile
from probe.report.standing_words import by_caller, evidence, interval, listed, percent, redress_words, where_and_since
from probe.report.standings import standing_table, standings_table
from report.overviews import NOW, hostile, overview
from report.samples import HOSTILE, a_check

ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def standings_of(calls):
    accounts = Accounts()
    for observation in filter(None, map(observe, calls)):
        accounts.add(observation)
    return accounts.standings()


def cells(lines):
    return [re.split(r"  +", row) for row in as_text(lines).splitlines()]


def rows(calls):
    return cells(standings_table(standings_of(calls), width=None))


def full(calls, width=None):
    return cells(standing_table([Profile(standing=one) for one in by_caller(standings_of(calls))], width=width))


def test_a_caller_has_one_row_that_names_its_networks():
    calls = [
        refused(*BLOCKED, network="verizon"),
        *(refused(*BLOCKED, at=START + timedelta(minutes=n), network="t-mobile") for n in range(1, 6)),
        answered(at=START + timedelta(minutes=7), network="att"),
        refused("603 Decline", at=START + timedelta(minutes=8), network="us-cellular"),
    ]
    row = ["+12025550101", "blocked", "6 of 7", "t-mobile, verizon", "att", "us-cellular"]
    assert row == rows(calls)[1]


def test_without_networks_the_columns_are_empty():
    assert ["+12025550101", "unknown", "0 of 1", "-", "-", "-"] == rows([answered(network=None)])[1]


def test_no_calls_make_no_table():
    assert [] == rows([])
    assert [] == full([])


def test_hostile_names_stay_in_their_row():
    calls = [*a_check(), answered(caller=HOSTILE, network=HOSTILE, label=HOSTILE)]
    assert "\x1b" not in as_text(standings_table(standings_of(calls), width=None))
    assert len(rows(a_check())) + 1 == len(rows(calls))
    profiles = [Profile(standing=one, label=HOSTILE) for one in by_caller(standings_of(calls))]
    for width in (None, 100):
        text = as_text(standing_table(profiles, width=width))
        assert not ACTS.search(text)
        assert len(full(calls)) == len(text.splitlines())


def test_networks_stand_below_a_caller_only_where_they_differ():
    blocked = [refused(*BLOCKED, at=START + timedelta(minutes=n), network="verizon") for n in range(6)]
    through = [answered(at=START + timedelta(hours=1, minutes=n), network="att") for n in range(12)]
    assert [["+12025550101", "blocked"], ["", "verizon"], ["", "att"]] == [
        row[:2] for row in full([*blocked, *through])[1:]
    ]
    assert 1 == len(full(blocked)[1:])


def test_on_a_terminal_a_long_name_is_cut_and_in_a_pipe_it_is_not():
    calls = [answered(network="n" * 500)]
    standings = [replace(one, standing=State.CLEAN) if one.network else one for one in standings_of(calls)]
    profiles = [Profile(standing=one, label="l" * 500) for one in by_caller(standings)]
    assert 200 > max(map(len, as_text(standing_table(profiles, width=80)).splitlines()))
    assert "n" * 500 in as_text(standing_table(profiles, width=None))


def test_the_worst_stands_first():
    order = [one.caller for one in by_caller(overview().standings)]
    assert ["+12025550101", "+12025550102", "+12025550103"] == order[:3]
    assert "+12025550109" == order[-1]


def test_all_of_a_hostile_number_is_shown_in_lines_that_do_nothing():
    for profile in hostile().troubles:
        for width in (None, 60):
            text = as_text(number(profile, width=width))
            assert not ACTS.search(text)
            assert "What to do next" in text


def test_a_contact_comes_with_what_is_wrong_with_it():
    seen = {"first_seen": NOW, "last_seen": NOW, "count": 1, "location": None}
    good = NoticeSeen(url="https://redress.example.com/r", tel="+12025550142", email="r@example.com", id="b-1", **seen)
    bad = NoticeSeen(url="http://127.0.0.1/", tel="+19005550100", email="r%0a@example.com", id="b/1", **seen)
    assert ["url", "tel", "email", "id"] == [one.name for one in contacts_of(good)]
    assert [None] * 4 == [one.flaw for one in contacts_of(good)]
    assert [
        "do not open it: no safe public https address",
        "do not call it: it costs a premium",
        "do not write to it as it is: no plain valid address",
        "quote it with care: it holds characters that the standard forbids",
    ] == [one.flaw for one in contacts_of(bad)]


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (None, "-"),
        (0.0, "0 %"),
        (0.001, "<1 %"),
        (0.005, "<1 %"),
        (0.006, "1 %"),
        (0.415, "42 %"),
        (0.999, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_written_as_a_person_reads_it(share, written):
    assert written == percent(share)


def test_what_is_not_known_is_not_made_up():
    one = standings_of([refused("603 Decline")])[-1]
    assert isinstance(one, Standing)
    assert "-" == interval(one)
    assert "No call could be judged." == evidence(one)


def test_a_sentence_says_where_and_since_when():
    worst = by_caller(overview().standings)[0]
    assert (
        "blocked on verizon since 2 Nov 2026, 16:35 UTC and t-mobile since 17 Nov 2026, 16:35 UTC"
        == where_and_since(worst)
    )
    assert evidence(worst.whole).startswith("Of 90 judged calls 25 were blocked: 28 % (95 % interval 20-38 %).")


@pytest.mark.parametrize(
    ("names", "written"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abcd"), "a, b and 2 more")]
)
def test_a_long_list_says_how_many_are_left_out(names, written):
    assert written == listed(names, most=3)


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({}, "redress not asked for yet"),
        ({"asked_at": NOW}, "redress asked for on 22 Nov 2026, no answer yet"),
        ({"asked_at": NOW, "cleared_at": NOW}, "redress cleared on 22 Nov 2026"),
        ({"cleared_at": NOW, "back_at": NOW}, "redress cleared on 22 Nov 2026, but back again since 22 Nov 2026"),
    ],
)
def test_redress_is_told_by_its_last_step(noted, words):
    case = Case(**_case(), **noted)
    assert f"2 blocks, the last 22 Nov 2026, 16:40 UTC; {words}" == redress_words(case)


def _case():
    contacts = overview().troubles[0].cases[0].contacts
    return {
        "caller": "+12025550101",
        "blocker": "redress.example.com",
        "first_seen": NOW,
        "last_seen": NOW,
        "count": 2,
        "contacts": contacts,
    }
