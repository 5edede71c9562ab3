from datetime import UTC, datetime

import pytest

from probe.health import Dimension, Signal
from probe.report.signals import sentence

CALLER, TUESDAY = "+12025550101", datetime(2026, 11, 17, tzinfo=UTC)
COUNTS = {"hits": 17, "total": 41, "other_hits": 0, "other_total": 120}


def said(kind="cluster", dimension="network", value="verizon", **known):
    return sentence(Signal(kind=kind, dimension=dimension, value=value, p=0.0004, **COUNTS | known))


@pytest.mark.parametrize(
    ("dimension", "value", "words"),
    [
        ("network", "verizon", "on verizon: 17 of 41 calls there, 0 of 120 elsewhere."),
        ("trunk", "carrier-a", "over trunk carrier-a: 17 of 41 calls there, 0 of 120 over others."),
        ("destination", "+12025550191", "at +12025550191: 17 of 41 calls there, 0 of 120 at others of its network."),
        ("campaign", "solar", "with campaign solar: 17 of 41 calls there, 0 of 120 without it."),
        ("label", "Support", "with label Support: 17 of 41 calls there, 0 of 120 without it."),
        ("lead_source", "fair", "with leads from fair: 17 of 41 calls there, 0 of 120 without them."),
        ("tag", "east", "with tag east: 17 of 41 calls there, 0 of 120 without it."),
        ("hour", "09", "between 09:00 and 09:59 at the called party: 17 of 41 calls there, 0 of 120 at other hours."),
        ("weekday", "mon", "on Mondays at the called party: 17 of 41 calls there, 0 of 120 on other days."),
    ],
)
def test_a_cluster_of_one_number_is_said_with_its_counts(dimension, value, words):
    assert f"Blocks of {CALLER} come {words}" == said(dimension=dimension, value=value, caller=CALLER)


def test_a_cluster_of_numbers_counts_numbers():
    words = said(dimension="campaign", value="solar", of="numbers", hits=12, total=14, other_hits=3, other_total=1_200)
    assert "Blocks come with campaign solar: 12 of 14 numbers are blocked, 3 of 1,200 without it." == words


def test_a_cluster_of_the_fleet_counts_the_numbers_in_trouble():
    words = said(of="numbers", hits=14, total=16, other_hits=1, other_total=16)
    assert (
        "Blocks come on verizon across the fleet: those of 14 of 16 numbers in trouble are tied to it, those of 1 "
        "elsewhere." == words
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((14, 60, 5, 65), "have tripled since Tuesday 2026-11-17: 14 of 60 calls, before 5 of 65."),
        ((10, 60, 5, 60), "have doubled since Tuesday 2026-11-17: 10 of 60 calls, before 5 of 60."),
        ((8, 60, 5, 60), "have risen since Tuesday 2026-11-17: 8 of 60 calls, before 5 of 60."),
        ((40, 60, 1, 60), "have risen sharply since Tuesday 2026-11-17: 40 of 60 calls, before 1 of 60."),
        ((1, 1, 0, 60), "have begun since Tuesday 2026-11-17: 1 of 1 call, before 0 of 60."),
    ],
)
def test_a_rise_says_how_many_times_and_since_when(counts, words):
    known = dict(zip(("hits", "total", "other_hits", "other_total"), counts, strict=True))
    told = said("blocks_rose", "day", "2026-11-17", since=TUESDAY, caller=CALLER, **known)
    assert f"Blocks of {CALLER} {words}" == told
    assert f"Blocks {words}" == said("blocks_rose", "day", "2026-11-17", since=TUESDAY, **known)


def test_declines_are_those_of_calls_that_got_through():
    told = said("declines_rose", "day", "2026-11-17", since=TUESDAY, hits=14, total=60, other_hits=5, other_total=65)
    assert "Declines have tripled since Tuesday 2026-11-17: 14 of 60 calls that got through, before 5 of 65." == told


@pytest.mark.parametrize(("hits", "word"), [(0, "stopped"), (2, "fallen")])
def test_a_fall_says_whether_anything_is_left(hits, word):
    told = said("blocks_fell", "day", "2026-11-17", since=TUESDAY, hits=hits, total=60, other_hits=30, other_total=65)
    assert f"Blocks have {word} since Tuesday 2026-11-17: {hits} of 60 calls, before 30 of 65." == told


def test_a_silent_block_names_its_control():
    told = said("silent_block", "destination", "+12025550191", caller=CALLER, control="+12025550100")
    assert told.startswith(f"Calls of {CALLER} to +12025550191 are refused before a phone can ring")
    assert told.endswith("17 of 41 calls, but 0 of 120 of other caller IDs; +12025550100 gets through.")


@pytest.mark.parametrize(("kind", "value"), [("trunk_problem", "carrier-a"), ("destination_problem", "+12025550191")])
def test_a_problem_clears_the_caller_ids(kind, value):
    told = said(kind, kind.partition("_")[0], value, since=TUESDAY)
    assert f"{value} refuses every caller ID" in told
    assert told.endswith("not about the caller IDs.")


@pytest.mark.parametrize("dimension", sorted(set(Dimension) - {"day", "quiet", "alerting", "route", "site"}))
@pytest.mark.parametrize("caller", [CALLER, None])
def test_what_others_wrote_is_made_plain_and_cut(dimension, caller):
    told = said(dimension=dimension, value="\x1b[2J\u202e{caller}" + "x" * 500, caller=caller, of="numbers")
    assert told.isprintable()
    assert "\\x1b[2J\\u202e{caller}" in told
    assert len(told) < 350


@pytest.mark.parametrize("kind", ["cluster", "blocks_rose", "declines_fell", "silent_block", "trunk_problem"])
def test_a_sentence_is_one_line_that_ends_in_a_stop(kind):
    told = said(kind, since=TUESDAY, caller=CALLER, control="+12025550100")
    assert told.isprintable()
    assert told.endswith(".")
    assert "  " not in told
