from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from probe.health import Case, Contacts, Dimension, NoticeSeen, Signal, Standing, State
from probe.health.advice import STEPS, Fact, steps_for
from probe.health.redress import Step, noted
from probe.verdict import Disposition

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CALLER, BLOCKER = "+12025550101", "redress.example.com"
CASE = Case(
    caller=CALLER,
    blocker=BLOCKER,
    first_seen=NOW - timedelta(days=9),
    last_seen=NOW - timedelta(days=3),
    count=17,
    contacts=Contacts(url="https://redress.example.com/r"),
    networks=("verizon",),
)
ASKED = noted(CASE, Step.ASKED, NOW - timedelta(days=2))
CLEARED = noted(ASKED, Step.CLEARED, NOW - timedelta(days=1))


def standing(state=State.BLOCKED, network=None, dispositions=None, **known):
    found = {Disposition.ANSWERED: 24, Disposition.ANALYTICS_BLOCKED: 17} if dispositions is None else dispositions
    defaults = {
        "caller": CALLER,
        "network": network,
        "standing": state,
        "since": NOW - timedelta(days=9),
        "judged": 41,
        "blocked": 17,
        "blocked_share": 17 / 41,
        "interval": (0.278, 0.566),
        "declined": 0,
        "suspected": 0,
        "inconclusive": 0,
        "last_call_at": NOW,
        "notices": (),
        "dispositions": found,
    }
    return Standing(**defaults | known)


def signal(kind="cluster", dimension="network", value="verizon", **known):
    defaults = {"caller": CALLER, "network": value if dimension == "network" else None, "p": 0.0004}
    return Signal(kind=kind, dimension=dimension, value=value, **defaults | known)


def advice(*signals, cases=(), of=None):
    return "\n".join(steps_for(of or standing(), signals, cases))


def test_a_clean_number_needs_nothing():
    clean = standing(State.CLEAN, dispositions={Disposition.ANSWERED: 40})
    assert () == steps_for(clean, (), ())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.BLOCKED, "out of rotation"),
        (State.SUSPECT, "Place more test calls, and a control call"),
        (State.RECOVERING, "back into rotation slowly"),
        (State.UNKNOWN, "Too little is known"),
    ],
)
def test_each_state_has_its_step(state, words):
    assert words in advice(of=standing(state))


@pytest.mark.parametrize(
    ("found", "trade", "words"),
    [
        (signal(), "Registration", "analytics company that serves verizon"),
        (signal(dimension="trunk", value="carrier-b"), "Attestation", "over trunk carrier-b"),
        (signal(dimension="campaign", value="solar"), "Calling pattern", "with solar"),
        (signal(dimension="tag", value="east"), "Calling pattern", "with east"),
        (signal(dimension="lead_source", value="fair"), "List quality", "leads from fair"),
        (signal(dimension="hour", value="09"), "Calling windows", "from 09:00 to 09:59"),
        (signal(dimension="weekday", value="fri"), "Calling windows", "on Fridays"),
        (signal(dimension="destination", value="+12025550191"), "List quality", "at +12025550191"),
        (signal("declines_rose", "day", "2026-11-17", since=NOW), "Frequency", "since 2026-11-22"),
        (signal("blocks_rose", "day", "2026-11-17", since=NOW), "Calling pattern", "since 2026-11-22"),
        (signal("silent_block", "destination", "+12025550191", control="+12025550100"), "Redress", "+12025550100"),
        (signal("trunk_problem", "trunk", "carrier-a", caller=None), "Trunk", "carrier-a"),
        (signal("destination_problem", "destination", "+12025550191", caller=None), "Test line", "+12025550191"),
    ],
)
def test_each_signal_points_at_what_to_look_at(found, trade, words):
    (said,) = [step for step in steps_for(standing(), [found], ()) if words in step]
    assert said.startswith(f"{trade}: ")


def test_a_block_that_nothing_ties_points_at_frequency():
    assert "Frequency: nothing ties the blocks together" in advice()
    assert "nothing ties" not in advice(signal())


@pytest.mark.parametrize(
    ("disposition", "count", "words"),
    [
        (Disposition.CALLER_ID_REJECTED, 9, "attestation A"),
        (Disposition.TRUNK_MISCONFIGURED, 9, "Trunk: check the account"),
        (Disposition.PROVIDER_BLOCKED, 1, "which of its own rules"),
        (Disposition.SUBSCRIBER_BLOCKED, 1, "called parties blocked"),
        (Disposition.ANALYTICS_SUSPECTED, 1, "damaged on the way"),
        (Disposition.ANALYTICS_BLOCKED, 1, "analytics companies of the big carriers"),
    ],
)
def test_verdicts_have_their_steps(disposition, count, words):
    assert words in advice(of=standing(dispositions={Disposition.ANSWERED: 41, disposition: count}))
    assert words not in advice(of=standing(dispositions={Disposition.ANSWERED: 41}))


@pytest.mark.parametrize("disposition", [Disposition.CALLER_ID_REJECTED, Disposition.TRUNK_MISCONFIGURED])
def test_one_refusal_of_an_identity_or_an_account_in_a_hundred_calls_asks_for_nothing(disposition):
    clean = standing(State.CLEAN, dispositions={Disposition.ANSWERED: 99, disposition: 1})
    assert () == steps_for(clean, (), ())


def test_a_blocker_that_nobody_asked_is_worth_asking():
    told = advice(cases=[CASE])
    assert f"worth asking {BLOCKER}, which says itself that it blocks (17 notices)" in told
    assert f"probe redress {CALLER} -o DIR" in told


def test_a_blocker_that_was_asked_and_blocks_on_is_asked_how_far_it_is():
    told = advice(cases=[replace(ASKED, last_seen=NOW)])
    assert f"you asked {BLOCKER} on 2026-11-20 and it blocks on, last on 2026-11-22" in told


def test_after_asking_there_is_only_to_wait():
    assert BLOCKER not in advice(cases=[ASKED])


def test_a_clean_retest_proposes_to_close_the_case():
    clean = standing(State.CLEAN)
    assert f"{CALLER} got through since you asked {BLOCKER}: close the case with probe redress {CALLER} --cleared" in (
        advice(of=clean, cases=[ASKED])
    )
    assert "close the case" in advice(of=clean, cases=[CASE])
    assert "" == advice(of=clean, cases=[CLEARED])


def test_no_case_is_closed_without_a_call_after_the_last_block():
    before = standing(State.CLEAN, last_call_at=ASKED.last_seen)
    assert "close" not in advice(of=before, cases=[ASKED])
    assert "close" not in advice(of=standing(State.RECOVERING), cases=[ASKED])


def test_a_blocker_that_is_back_is_asked_again():
    back = replace(CLEARED, back_at=NOW, last_seen=NOW)
    told = advice(cases=[back])
    assert f"{BLOCKER} blocks {CALLER} again since 2026-11-22, after it cleared it on 2026-11-21" in told


def test_one_of_several_cases_is_named_in_the_command():
    other = replace(CASE, blocker="$(reboot).example.com")
    told = advice(cases=[CASE, other])
    assert f"probe redress {CALLER} --blocker {BLOCKER} -o DIR" in told
    assert f"probe redress {CALLER} --blocker '$(reboot).example.com' -o DIR" in told


def test_cases_and_signals_of_others_do_not_count():
    others = [replace(CASE, caller="+12025550102")]
    foreign = [signal(caller="+12025550102"), signal("silent_block", "destination", "+1", caller="+12025550102")]
    assert advice() == advice(*foreign, cases=others)


def test_on_a_network_only_what_is_about_it_counts():
    here = standing(network="verizon")
    assert "serves verizon" in advice(signal(), of=here)
    assert "serves att" not in advice(signal(value="att"), of=here)
    assert BLOCKER in advice(of=here, cases=[CASE])
    assert BLOCKER not in advice(of=standing(network="att"), cases=[CASE])


def test_a_notice_without_a_contact_says_whom_to_ask():
    notice = NoticeSeen(url=None, tel=None, email=None, id=None, location="RLN", first_seen=NOW, last_seen=NOW, count=1)
    assert "names no contact" in advice(of=standing(notices=(notice,)))
    assert "names no contact" not in advice(of=standing(notices=(replace(notice, tel="+12025550142"),)))


def test_a_broken_trunk_comes_first():
    steps = steps_for(standing(), [signal(), signal("trunk_problem", "trunk", "carrier-a", caller=None)], [CASE])
    assert "carrier-a" in steps[0]


def test_every_fact_is_used_and_every_row_can_hold():
    assert set(Fact) == {row.about for row in STEPS} | {fact for row in STEPS for fact in row.needs}
    assert not any(row.about in row.bars or row.needs & row.bars for row in STEPS)


@pytest.mark.parametrize("dimension", sorted(set(Dimension) - {"day", "quiet", "alerting", "route", "site"}))
def test_what_others_wrote_is_plain_and_stays_what_it_is(dimension):
    hostile = signal(dimension=dimension, value="\x1b[2J\u202e{caller}" + "x" * 500, network=None)
    steps = steps_for(standing(), [hostile], [replace(CASE, blocker="\x1b[31m{count}")])
    assert all(step.isprintable() and len(step) < 400 for step in steps)
    assert "{caller}xxx" in "\n".join(steps)
