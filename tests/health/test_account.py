"""Calls in, standings out: through accounts that may be written and read again between any two calls."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed import DAY_ONE, observed
from placed import BLOCKED, START, SUSPECTED, answered, refused, standings_of, unplaced

from probe.call import Ending
from probe.health import Account, Accounts, Contacts, Evidence, Standing, State, evidence_of, in_whole, observe
from probe.verdict import Disposition

NOTICE = 'Reason: SIP;cause=603;text="v=analytics1;email=redress@example.com;id={id}";location=TN'
AMBIGUOUS, NO_ANSWER = ("603 Decline",), ("480 Temporarily Unavailable",)


def minute(number):
    return START + timedelta(minutes=number)


def each(*calls):
    """Each call a minute after the one before, with ids `0`, `1` and so on."""
    return [make(*words, id=str(n), at=minute(n), **more) for n, (make, words, more) in enumerate(calls)]


def whole(calls):
    return next(one for one in standings_of(calls) if one.network is None)


def by_network(calls):
    return {one.network: one for one in standings_of(calls)}


def stored(accounts):
    """The accounts as they come back from a database."""
    return Accounts(
        Account.load(caller, network, json.loads(json.dumps(one.dump())))
        for (caller, network), one in accounts.opened.items()
    )


def test_no_calls_have_no_standing():
    assert () == standings_of([])


def test_a_standing_for_each_network_and_one_as_a_whole():
    calls = [
        answered(at=minute(0), caller="+12025550102", network="verizon"),
        answered(at=minute(1), network="verizon"),
        answered(at=minute(2), network="t-mobile"),
        answered(at=minute(3), network=None),
    ]
    told = [(one.caller, one.network, one.judged) for one in standings_of(calls)]
    assert [
        ("+12025550101", "t-mobile", 1),
        ("+12025550101", "verizon", 1),
        ("+12025550101", None, 3),
        ("+12025550102", "verizon", 1),
        ("+12025550102", None, 1),
    ] == told


def test_only_calls_that_can_speak_are_judged():
    calls = [
        answered(at=minute(0)),
        refused(*BLOCKED, at=minute(1)),
        refused("603 Decline", rang_ms=500, ms=4_000, at=minute(2)),
        refused(*SUSPECTED, at=minute(3)),
        refused("404 Not Found", at=minute(4)),
        refused("403 Forbidden", at=minute(5)),
        unplaced(Ending.NO_RESPONSE, "silent", at=minute(6)),
        unplaced(Ending.AGENT_FAILED, "no port", at=minute(7)),
        unplaced(Ending.GUARDED, "on no list", at=minute(8)),
    ]
    standing = whole(calls)
    assert (3, 1, 1 / 3) == (standing.judged, standing.blocked, standing.blocked_share)
    assert (1, 1 / 3, 1, 2) == (standing.declined, standing.declined_share, standing.suspected, standing.inconclusive)
    assert (minute(7), 8) == (standing.last_call_at, sum(standing.dispositions.values()))
    assert 1 == standing.dispositions[Disposition.INVALID_NUMBER]


def test_silence_is_no_evidence():
    standing = whole([unplaced(Ending.NO_RESPONSE, "silent", at=minute(n)) for n in range(20)])
    assert (State.UNKNOWN, START) == (standing.standing, standing.since)
    assert (0, None, None, None) == (
        standing.judged,
        standing.blocked_share,
        standing.interval,
        standing.declined_share,
    )


def test_a_refusal_without_a_control_call_counts_for_nothing():
    standing = whole([refused(*AMBIGUOUS, at=minute(n)) for n in range(20)])
    assert (State.UNKNOWN, 0, ()) == (standing.standing, standing.judged, standing.calls)


def test_a_caller_that_only_the_guard_refused_was_not_called():
    assert () == standings_of([unplaced(Ending.GUARDED, "on no list")])


def test_a_clean_mean_does_not_hide_the_network_that_blocks():
    clean = [answered(at=minute(n), network="t-mobile") for n in range(60)]
    blocked = [refused(*BLOCKED, at=minute(100 + n), network="verizon") for n in range(2)]
    after = [answered(at=minute(200 + n), network="t-mobile") for n in range(60)]
    found = by_network([*clean, *blocked, *after])
    assert {"t-mobile": State.CLEAN, "verizon": State.BLOCKED, None: State.BLOCKED} == {
        network: one.standing for network, one in found.items()
    }
    assert minute(100) == found["verizon"].since == found[None].since


def test_one_block_on_each_of_two_networks_is_a_blocked_caller():
    networks = ("verizon", "t-mobile")
    calls = [refused(*BLOCKED, at=minute(n), network=network) for n, network in enumerate(networks)]
    states = {network: one.standing for network, one in by_network(calls).items()}
    assert {**dict.fromkeys(networks, State.SUSPECT), None: State.BLOCKED} == states


def stands(network, standing, since):
    one = whole([answered()])
    return replace(one, network=network, standing=standing, since=minute(since))


@pytest.mark.parametrize(
    ("verizon", "t_mobile", "together", "expected"),
    [
        ((State.BLOCKED, 5), (State.BLOCKED, 9), (State.SUSPECT, 1), (State.BLOCKED, 5)),
        ((State.SUSPECT, 9), (State.SUSPECT, 5), (State.CLEAN, 1), (State.SUSPECT, 5)),
        ((State.CLEAN, 5), (State.CLEAN, 9), (State.CLEAN, 1), (State.CLEAN, 9)),
        ((State.RECOVERING, 9), (State.RECOVERING, 5), (State.CLEAN, 20), (State.RECOVERING, 9)),
        ((State.UNKNOWN, 3), (State.UNKNOWN, 4), (State.UNKNOWN, 3), (State.UNKNOWN, 3)),
        ((State.CLEAN, 5), (State.UNKNOWN, 9), (State.UNKNOWN, 5), (State.CLEAN, 5)),
        ((State.SUSPECT, 5), (State.RECOVERING, 9), (State.UNKNOWN, 1), (State.SUSPECT, 5)),
        ((State.CLEAN, 5), (State.CLEAN, 9), (State.BLOCKED, 11), (State.BLOCKED, 11)),
    ],
)
def test_as_a_whole_a_caller_stands_as_on_its_worst_network_or_as_all_its_calls_say(
    verizon, t_mobile, together, expected
):
    told = in_whole([stands(None, *together), stands("verizon", *verizon), stands("t-mobile", *t_mobile)])
    assert ["t-mobile", "verizon", None] == [one.network for one in told]
    assert (expected[0], minute(expected[1])) == (told[-1].standing, told[-1].since)
    assert [t_mobile[0], verizon[0]] == [one.standing for one in told[:-1]]


def test_the_same_notice_is_folded_and_keeps_the_last_id():
    calls = [refused("603 Network Blocked", NOTICE.format(id=f"b-{n}"), at=minute(n)) for n in range(3)]
    calls.append(refused(*BLOCKED, at=minute(9)))
    first, second = whole(calls).notices
    assert ("redress@example.com", "TN", "b-2", 3) == (first.email, first.location, first.id, first.count)
    assert (minute(0), minute(2)) == (first.first_seen, first.last_seen)
    assert ("https://redress.example.com/r", 1) == (second.url, second.count)


def test_of_more_notices_than_fifty_the_one_seen_longest_ago_is_dropped():
    accounts = Accounts()
    for n in [*range(50), 0, 50]:
        accounts.add(observed(contacts=Contacts(url=f"https://example.com/{n}"), started_at=DAY_ONE))
        accounts.add(
            observed(contacts=Contacts(url=f"https://example.com/{n}"), started_at=DAY_ONE + timedelta(hours=n or 60))
        )
    kept = {notice.url for notice in accounts.standings()[0].notices}
    assert 50 == len(kept)
    assert {"https://example.com/0", "https://example.com/50"} <= kept
    assert "https://example.com/1" not in kept


def test_the_time_to_refusal_is_the_median_of_the_blocked_calls():
    times = [150, 400, 20_000]
    calls = [refused(*BLOCKED, ms=ms, at=minute(n)) for n, ms in enumerate(times)]
    calls += [answered(ms=9_000, at=minute(9)), refused(*AMBIGUOUS, ms=30, at=minute(10))]
    assert 400 == pytest.approx(whole(calls).refused_ms, rel=0.05)


def test_the_last_calls_that_could_speak_are_named():
    calls = each(*[(answered, (), {})] * 30, (refused, AMBIGUOUS, {}), (refused, BLOCKED, {}))
    assert tuple(map(str, [*range(11, 30), 31])) == whole(calls).calls


def test_the_calls_since_a_moment_are_named():
    accounts = Accounts()
    for seen in map(observe, each(*[(answered, (), {})] * 5)):
        accounts.add(seen)
    account = accounts.opened["+12025550101", "verizon"]
    assert ("2", "3", "4") == account.calls_since(minute(2))
    assert () == account.calls_since(minute(5))


def settle(refusal, control, before=()):
    """A refused call and its control call, added as they end."""
    accounts = Accounts()
    for seen in map(observe, before):
        accounts.add(seen)
    suspect, known_good = observe(refusal), observe(control)
    for seen in (suspect, known_good):
        accounts.add(seen)
    accounts.settle(suspect, known_good)
    return {(one.caller, one.network): one for one in accounts.standings()}


CONTROL = {"caller": "+12025550100", "id": "control", "at": minute(61)}


@pytest.mark.parametrize("words", [AMBIGUOUS, NO_ANSWER, SUSPECTED])
def test_a_refusal_is_a_block_once_a_control_call_got_through(words):
    refusal = refused(*words, ms=120, id="refusal", at=minute(60))
    found = settle(refusal, answered(**CONTROL), each(*[(answered, (), {})] * 10))
    for network in ("verizon", None):
        standing = found["+12025550101", network]
        assert (11, 1, 0) == (standing.judged, standing.blocked, standing.suspected)
        assert 1 == standing.calls.count("refusal")
        assert State.CLEAN is standing.standing
        assert 120 == pytest.approx(standing.refused_ms, rel=0.05)
    assert (1, 0) == (found["+12025550100", None].judged, found["+12025550100", None].blocked)


@pytest.mark.parametrize("words", [AMBIGUOUS, SUSPECTED])
def test_where_the_control_call_was_refused_too_the_refusal_says_nothing(words):
    past = each(*[(answered, (), {})] * 10)
    found = settle(refused(*words, id="refusal", at=minute(60)), refused(*NO_ANSWER, **CONTROL), past)
    standing = found["+12025550101", "verizon"]
    assert (10, 0, 0) == (standing.judged, standing.blocked, standing.suspected)
    assert (State.CLEAN, START) == (standing.standing, standing.since)
    assert "refusal" not in standing.calls


def test_a_control_call_that_says_nothing_leaves_the_refusal_as_it_was():
    silent = unplaced(Ending.NO_RESPONSE, "silent", **CONTROL)
    suspected = settle(refused(*SUSPECTED, id="refusal", at=minute(60)), silent)["+12025550101", None]
    assert (State.SUSPECT, 1, ("refusal",)) == (suspected.standing, suspected.suspected, suspected.calls)


def test_a_clear_block_needs_no_control_call():
    standing = settle(refused(*BLOCKED, id="refusal", at=minute(60)), answered(**CONTROL))["+12025550101", None]
    assert (1, 1, ("refusal",)) == (standing.judged, standing.blocked, standing.calls)


def test_blocks_that_control_calls_settle_make_a_number_blocked_since_the_first_of_them():
    accounts = Accounts()
    for n in range(3):
        refusal = observe(refused(*AMBIGUOUS, id=f"refusal-{n}", at=minute(2 * n)))
        control = observe(answered(caller="+12025550100", at=minute(2 * n + 1)))
        for seen in (refusal, control):
            accounts.add(seen)
        accounts.settle(refusal, control)
    standing = next(one for one in accounts.standings() if one.caller == "+12025550101")
    assert (State.BLOCKED, minute(0)) == (standing.standing, standing.since)
    assert 3 == standing.dispositions[Disposition.REJECTED_AMBIGUOUS] == standing.blocked


def test_a_settled_call_ends_with_its_control_call():
    accounts = Accounts()
    refusal, control = observe(refused(*AMBIGUOUS, at=minute(0))), observe(answered(**CONTROL))
    accounts.add(refusal)
    accounts.settle(refusal, control)
    assert control.ended_at == accounts.opened["+12025550101", None].ended_at


dispositions = st.sampled_from(
    [*Disposition, *[Disposition.ANSWERED, Disposition.ANALYTICS_BLOCKED, Disposition.ANALYTICS_SUSPECTED] * 5]
)
notices = st.none() | st.builds(Contacts, url=st.sampled_from(["u", "v"]), id=st.none() | st.text(max_size=3))


@st.composite
def histories(draw):
    """Calls of two caller IDs on two networks or none, as they ended; some are settled by the call after them."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["+12025550101", "+12025550102"]),
                st.sampled_from([None, "verizon", "t-mobile"]),
                dispositions,
                notices,
                st.integers(0, 10**12),
                st.booleans(),
            ),
            max_size=60,
        )
    )
    calls = []
    for n, (caller, network, disposition, contacts, microseconds, settled) in enumerate(drawn):
        at = DAY_ONE + timedelta(minutes=n, microseconds=microseconds % 1_000_000)
        call = observed(
            call_id=str(n),
            caller=caller,
            network=network,
            disposition=disposition,
            contacts=contacts,
            started_at=at,
            final_ms=float(microseconds % 40_000),
        )
        calls.append((call, settled and n > 0))
    return calls


def step(accounts, history, n):
    call, settled = history[n]
    accounts.add(call)
    if settled:
        accounts.settle(history[n - 1][0], call)


@settings(max_examples=60, deadline=None)
@given(histories(), st.sets(st.integers(0, 60)))
def test_accounts_that_were_stored_in_between_give_the_same_standings(history, stops):
    kept, read = Accounts(), Accounts()
    for n in range(len(history)):
        step(kept, history, n)
        read = stored(read) if n in stops else read
        step(read, history, n)
    assert kept.standings() == read.standings() == stored(read).standings()
    assert [one.dump() for one in stored(kept).opened.values()] == [one.dump() for one in stored(read).opened.values()]


@settings(max_examples=60, deadline=None)
@given(histories())
def test_the_counts_always_add_up(history):
    accounts = Accounts()
    for n in range(len(history)):
        step(accounts, history, n)
    for standing in accounts.standings():
        adds_up(standing, [call for call, _ in history if call.caller == standing.caller])


def adds_up(standing: Standing, calls):
    theirs = [call for call in calls if standing.network in {None, call.network}]
    said = [evidence_of(call.disposition) for call in theirs]
    assert len(theirs) == sum(standing.dispositions.values())
    assert standing.judged - standing.blocked == said.count(Evidence.THROUGH)
    assert said.count(Evidence.BLOCKED) <= standing.blocked <= len(theirs) - said.count(Evidence.THROUGH)
    assert 0 <= standing.suspected <= said.count(Evidence.SUSPECTED)
    assert standing.declined <= standing.judged
    assert len(standing.calls) == len(set(standing.calls)) <= 20
    assert standing.last_call_at == max(call.started_at for call in theirs)
    assert min(call.started_at for call in calls) <= standing.since <= standing.last_call_at
    assert sum(call.contacts is not None for call in theirs) == sum(notice.count for notice in standing.notices)
    if standing.judged:
        low, high = standing.interval
        assert 0.0 <= low <= standing.blocked_share <= high <= 1.0


@settings(max_examples=40, deadline=None)
@given(histories())
def test_as_a_whole_no_caller_stands_better_than_on_any_network(history):
    severity = [State.UNKNOWN, State.CLEAN, State.RECOVERING, State.SUSPECT, State.BLOCKED]
    accounts = Accounts()
    for n in range(len(history)):
        step(accounts, history, n)
    told = accounts.standings()
    for one in told:
        (entire,) = (other for other in told if other.caller == one.caller and other.network is None)
        assert severity.index(one.standing) <= severity.index(entire.standing)
    assert all((a.caller, a.network is None) <= (b.caller, b.network is None) for a, b in pairwise(told))
