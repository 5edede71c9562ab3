from datetime import timedelta

import pytest
from observed import DAY_ONE, called, caller_id, counted, day_of, never, signals_of, standings, strays

from probe.health import Dimension
from probe.health.signals import find_signals
from probe.health.tally import EVERYBODY
from probe.verdict import Disposition

SUSPECT = caller_id(3)
LINE = "+12125550200"
KINDS = {"silent_block", "trunk_problem", "destination_problem"}


def found(calls):
    return {(one.kind, one.value, one.caller): one for one in signals_of(calls) if one.kind in KINDS}


def silent_at(*lines, callers=(SUSPECT,), share=0.8, since=0, until=1_000):
    def silent(call):
        is_it = call.callee in lines and call.caller in callers and since <= day_of(call) < until
        return share if is_it else 0.0

    return silent


def test_fast_refusals_of_one_number_are_a_silent_block_with_the_control_beside_them():
    calls = called(callers=8, networks=5, days=40, blocked=never, silent=silent_at(LINE, since=20))
    ((key, signal),) = found(calls).items()
    assert ("silent_block", LINE, SUSPECT) == key
    assert ("destination", "network-02", 40) == (signal.dimension, signal.network, signal.total)
    assert 10 <= signal.hits <= 20
    assert 280 == signal.other_total
    assert signal.control in {caller_id(number) for number in range(8)} - {SUSPECT}


def test_the_control_is_a_number_that_gets_through_there():
    others = tuple(caller_id(number) for number in range(4, 8))
    calls = called(callers=8, networks=5, days=60, silent=silent_at(LINE, callers=(SUSPECT, *others), share=0.9))
    signals = found(calls)
    assert {SUSPECT, *others} == {caller for kind, _, caller in signals if kind == "silent_block"}
    assert {caller_id(number) for number in range(3)} >= {one.control for one in signals.values()}


def test_a_fleet_whose_lines_are_busy_at_times_raises_nothing():
    assert {} == found(called(callers=10, networks=10, days=40))


def test_refusals_as_slow_as_ringing_are_no_silent_block():
    def slow(call):
        return call._replace(final_ms=4_000.0) if call.disposition is Disposition.REJECTED_AMBIGUOUS else call

    calls = [slow(call) for call in called(callers=8, networks=5, days=40, silent=silent_at(LINE))]
    assert {} == found(calls)


def test_without_a_habit_nothing_is_fast():
    def hidden(call):
        return call._replace(alerting_ms=None) if call.callee == LINE else call

    calls = [hidden(call) for call in called(callers=8, networks=5, days=40, silent=silent_at(LINE))]
    assert {} == found(calls)


def test_a_line_that_was_off_for_a_day_is_no_silent_block():
    """Even if one number alone called it that day, and often."""
    calls = called(callers=8, networks=5, days=40)
    off = [
        calls[0]._replace(
            call_id=f"off-{minute}",
            caller=SUSPECT,
            callee=LINE,
            network="network-02",
            started_at=DAY_ONE + timedelta(days=35, hours=14, minutes=minute),
            disposition=Disposition.UNREACHABLE,
            alerting_ms=None,
            final_ms=300.0,
        )
        for minute in range(20)
    ]
    assert {} == found([*calls, *off])
    spread = [call._replace(started_at=call.started_at - timedelta(days=day)) for day, call in enumerate(off)]
    assert {("silent_block", LINE, SUSPECT)} == set(found([*calls, *spread]))


def test_a_number_alone_has_no_control():
    calls = called(callers=1, networks=5, days=40, silent=silent_at(LINE, callers=(caller_id(0),)))
    assert {} == found(calls)


def test_a_silent_block_that_is_over_is_no_signal_any_more():
    calls = called(callers=8, networks=5, days=80, silent=silent_at(LINE, until=30))
    assert {("silent_block", LINE, SUSPECT)} == set(found([call for call in calls if day_of(call) < 30]))
    assert {} == found([call for call in calls if call.disposition is not Disposition.USER_BUSY])


def test_the_same_refusal_of_everybody_at_one_line_is_about_the_line():
    everybody = tuple(caller_id(number) for number in range(8))
    silent = silent_at(LINE, callers=everybody, share=1.0, since=30)
    calls = called(callers=8, networks=5, days=40, blocked=never, silent=silent)
    ((key, signal),) = found(calls).items()
    assert ("destination_problem", LINE, None) == key
    assert DAY_ONE + timedelta(days=30) == signal.since
    assert (80, 80, 320, "network-02") == (signal.hits, signal.total, signal.other_total, signal.network)


def test_the_same_refusal_of_everybody_everywhere_is_about_the_trunk():
    calls = called(callers=8, networks=5, days=40, blocked=never, silent=lambda c: 1.0 if day_of(c) >= 37 else 0.0)
    ((key, signal),) = found(calls).items()
    assert ("trunk_problem", "carrier-a", None) == key
    assert DAY_ONE + timedelta(days=37) == signal.since
    assert (120, 120) == (signal.hits, signal.total)


def test_a_trunk_that_never_worked_is_told_beside_one_that_does():
    def over(call):
        return {"trunk": "carrier-b" if int(call.caller[-4:]) < 3 else "carrier-a"}

    calls = called(
        callers=8, networks=5, days=10, named=over, silent=lambda call: 1.0 if call.trunk == "carrier-b" else 0.0
    )
    assert {("trunk_problem", "carrier-b", None)} == set(found(calls))


def test_a_trunk_that_never_worked_is_told_when_it_is_the_only_one():
    calls = called(callers=8, networks=5, days=5, blocked=never, silent=lambda _: 1.0)
    assert {("trunk_problem", "carrier-a", None)} == set(found(calls))


def test_of_one_line_or_one_number_nobody_knows_what_refuses():
    assert {} == found(called(callers=8, networks=1, days=10, silent=lambda _: 1.0))
    assert {} == found(called(callers=1, networks=8, days=10, silent=lambda _: 1.0))


def test_a_trunk_problem_accuses_no_number():
    def silent(call):
        return 1.0 if day_of(call) >= 37 or (call.caller == SUSPECT and day_of(call) == 36) else 0.0

    calls = called(callers=8, networks=5, days=40, silent=silent)
    assert {None} == {caller for _, _, caller in found(calls)}


@pytest.mark.parametrize("left_out", [Dimension.ALERTING, Dimension.ROUTE])
def test_without_what_everybody_found_there_is_no_silent_block(left_out):
    calls = called(callers=8, networks=5, days=40, silent=silent_at(LINE, since=20))
    tallies = [row for row in counted(calls) if (row.caller, row.dimension) != (EVERYBODY, left_out)]
    assert [] == [one for one in find_signals(tallies, standings(calls)) if one.kind == "silent_block"]


def test_blocks_that_are_said_are_no_silent_ones():
    calls = called(callers=8, networks=5, days=40, blocked=lambda c: 0.5 if c.caller == SUSPECT else strays(c))
    assert {} == found(calls)
