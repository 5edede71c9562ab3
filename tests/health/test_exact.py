from fractions import Fraction
from itertools import product
from math import comb, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.health.exact import (
    Family,
    binomial,
    doubled_ranks,
    fisher,
    hypergeometric,
    least_fisher,
    rank_sum,
    uneven_binomial,
)


def by_enumeration(hits, total, other_hits, other_total):
    """The same chance, exactly: all ways to deal the hits, counted."""
    all_hits, everything = hits + other_hits, total + other_total
    ways = sum(
        comb(all_hits, n) * comb(everything - all_hits, total - n) for n in range(hits, min(all_hits, total) + 1)
    )
    return Fraction(ways, comb(everything, total))


@st.composite
def tables(draw, most=60):
    total, other_total = draw(st.integers(1, most)), draw(st.integers(1, most))
    return draw(st.integers(0, total)), total, draw(st.integers(0, other_total)), other_total


@pytest.mark.parametrize(
    ("table", "chance"),
    [
        ((4, 4, 0, 4), Fraction(1, 70)),  # the lady tastes all eight cups right (Fisher 1935)
        ((3, 4, 1, 4), Fraction(17, 70)),  # and three of each four
        ((2, 4, 2, 4), Fraction(53, 70)),
        ((0, 4, 4, 4), Fraction(1)),
        ((17, 41, 0, 120), by_enumeration(17, 41, 0, 120)),
        ((14, 60, 5, 65), by_enumeration(14, 60, 5, 65)),
        ((0, 10, 0, 10), Fraction(1)),
        ((10, 10, 10, 10), Fraction(1)),
    ],
)
def test_fishers_test_has_the_known_values(table, chance):
    assert float(chance) == pytest.approx(fisher(*table), rel=1e-9)


@given(tables())
def test_fishers_test_agrees_with_counting_all_ways(table):
    assert float(by_enumeration(*table)) == pytest.approx(fisher(*table), rel=1e-9)


@pytest.mark.parametrize("table", [(60, 2_000, 140, 18_000), (260, 2_000, 740, 8_000), (5, 2_500, 120, 17_500)])
def test_fishers_test_stays_exact_for_large_counts(table):
    assert float(by_enumeration(*table)) == pytest.approx(fisher(*table), rel=1e-7)


def test_nothing_is_ever_proven_beyond_doubt():
    assert 0 < fisher(5_000, 5_000, 0, 50_000) < 1e-250
    assert 0 < binomial(4_000, 4_000, 0.01) < 1e-250


@given(tables(), st.floats(0.001, 1))
def test_what_is_given_up_early_is_above_the_bound(table, bound):
    exactly, early = fisher(*table), fisher(*table, up_to=bound)
    assert early == exactly or (early == 1.0 and exactly > bound)


@given(tables())
def test_no_result_is_smaller_than_the_least_that_its_sums_allow(table):
    hits, total, other_hits, other_total = table
    least = least_fisher(total, hits + other_hits, total + other_total)
    assert fisher(*table) >= least * (1 - 1e-9)
    most = min(total, hits + other_hits)
    assert least == pytest.approx(fisher(most, total, hits + other_hits - most, other_total), rel=1e-9)


@given(tables(most=25))
def test_a_p_value_comes_as_seldom_as_it_says(table):
    hits, total, other_hits, other_total = table
    all_hits, everything = hits + other_hits, total + other_total
    p = fisher(*table)
    as_small = sum(
        hypergeometric(n, total, all_hits, everything)
        for n in range(max(0, all_hits - other_total), min(all_hits, total) + 1)
        if fisher(n, total, all_hits - n, other_total) <= p * (1 + 1e-9)
    )
    assert as_small == pytest.approx(p, rel=1e-6)


@given(st.integers(0, 40), st.integers(0, 40), st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=50))
def test_the_binomial_tail_agrees_with_counting_all_ways(hits, more, share):
    total = hits + more
    chance = sum(comb(total, n) * share**n * (1 - share) ** (total - n) for n in range(hits, total + 1))
    assert float(chance) == pytest.approx(binomial(hits, total, float(share)), rel=1e-9)


@given(
    st.lists(st.tuples(st.sampled_from([0.05, 0.2, 0.5, 0.9]), st.integers(1, 4)), min_size=1, max_size=3),
    st.integers(0, 8),
)
def test_the_uneven_binomial_agrees_with_counting_all_ways(groups, hits):
    shares = [share for share, total in groups for _ in range(total)]
    hits = min(hits, len(shares))
    chance = sum(
        prod(share if hit else 1 - share for share, hit in zip(shares, way, strict=True))
        for way in product((0, 1), repeat=len(shares))
        if sum(way) >= hits
    )
    assert chance == pytest.approx(uneven_binomial(hits, groups), rel=1e-9, abs=1e-12)


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_rank_sum_agrees_with_trying_every_choice(strata):
    reached = sum(ranks[0] for ranks in strata)
    choices = [sum(choice) for choice in product(*strata)]
    as_high = sum(choice >= reached for choice in choices)
    assert as_high / len(choices) == pytest.approx(rank_sum(reached, strata))


@pytest.mark.parametrize(
    ("values", "ranks"),
    [([0.3, 0.1, 0.2], [6, 2, 4]), ([0.1, 0.1, 0.2], [3, 3, 6]), ([0.5], [2]), ([0.0] * 4, [5, 5, 5, 5]), ([], [])],
)
def test_ties_share_their_ranks(values, ranks):
    assert ranks == doubled_ranks(values)


def test_the_highest_of_seven_in_three_weeks_is_one_in_343():
    week = doubled_ranks([0.9, 0.0, 0.1, 0.0, 0.0, 0.2, 0.0])
    assert pytest.approx(1 / 343) == rank_sum(3 * max(week), [week] * 3)


def test_without_strata_nothing_is_known():
    assert 1.0 == rank_sum(0, [])


def believed(found, *, least=0.0, nothing=0):
    family = Family()
    for name, p in found.items():
        family.found(p, name, least)
    family.made(least, times=nothing)
    return {name: p for p, name in family.believed()}


def test_benjamini_and_hochbergs_own_example():
    # Benjamini and Hochberg 1995, section 4: of 15 tests at 0.05 four are believed; Bonferroni would believe three.
    found = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    family = Family()
    for p in found:
        family.found(p, p)
    family.made(times=7)
    assert [0.0001, 0.0004, 0.0019, 0.0095] == [found for _, found in family.believed(0.05)]


def test_more_tests_make_the_same_find_less_sure():
    assert {"a": 0.0002} == believed({"a": 0.0002})
    assert {"a": pytest.approx(0.002)} == believed({"a": 0.0002}, nothing=9)
    assert {} == believed({"a": 0.0002}, nothing=99)


def test_finds_make_one_another_surer():
    both = believed({"a": 0.004, "b": 0.004}, nothing=2)
    assert {"a": pytest.approx(0.008), "b": pytest.approx(0.008)} == both
    assert {} == believed({"a": 0.004}, nothing=3)


def test_a_test_that_can_find_nothing_does_not_count():
    family = Family()
    family.found(0.0002, "a")
    family.made(0.3, times=10_000)
    assert [(0.0002, "a")] == family.believed()


def test_tarones_bound_grows_until_enough_tests_are_left_out():
    # Two tests can reach 0.004, which is more than 0.01 / 3, and one of them did: neither counts among the three left.
    family = Family()
    family.found(0.0005, "a", 0.0001)
    family.made(0.0001, times=2)
    family.found(0.004, "b", 0.004)
    family.made(0.004)
    assert [(pytest.approx(0.0015), "a")] == family.believed()


def test_nothing_made_is_nothing_believed():
    assert [] == Family().believed()
