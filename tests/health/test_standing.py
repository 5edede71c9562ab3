from datetime import timedelta

from placed import BLOCKED, START, SUSPECTED, answered, refused, unplaced

from probe.call import Ending
from probe.health import State, assess

CONTACT = 'Reason: SIP;cause=603;text="v=analytics1;email=redress@example.com;id={id}";location=TN'


def minute(number):
    return START + timedelta(minutes=number)


def whole(calls):
    return next(standing for standing in assess(calls) if standing.network is None)


def test_no_calls_have_no_standing():
    assert () == assess([])


def test_a_standing_for_each_network_and_one_as_a_whole():
    calls = [
        answered(at=minute(0), caller="+12025550102", network="verizon"),
        answered(at=minute(1), network="verizon"),
        answered(at=minute(2), network="t-mobile"),
        answered(at=minute(3), network=None),
    ]
    told = [(standing.caller, standing.network, standing.judged) for standing in assess(calls)]
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
    assert (1, 1, 2) == (standing.declined, standing.suspected, standing.inconclusive)
    assert minute(7) == standing.last_call_at


def test_silence_is_no_evidence():
    standing = whole([unplaced(Ending.NO_RESPONSE, "silent", at=minute(n)) for n in range(20)])
    assert (State.UNKNOWN, START) == (standing.standing, standing.since)
    assert (0, None, None) == (standing.judged, standing.blocked_share, standing.interval)


def test_a_caller_that_only_the_guard_refused_was_not_called():
    assert () == assess([unplaced(Ending.GUARDED, "on no list")])


def test_the_order_of_the_calls_given_does_not_matter():
    calls = [answered(at=minute(n)) for n in range(3)] + [refused(*BLOCKED, at=minute(n)) for n in range(3, 8)]
    assert assess(calls) == assess(calls[::-1])
    assert (State.BLOCKED, minute(3)) == (whole(calls).standing, whole(calls).since)


def test_a_clean_mean_does_not_hide_the_network_that_blocks():
    clean = [answered(at=minute(n), network="t-mobile") for n in range(60)]
    blocked = [refused(*BLOCKED, at=minute(100 + n), network="verizon") for n in range(3)]
    after = [answered(at=minute(200 + n), network="t-mobile") for n in range(60)]
    states = {standing.network: standing.standing for standing in assess([*clean, *blocked, *after])}
    assert {"t-mobile": State.CLEAN, "verizon": State.BLOCKED, None: State.BLOCKED} == states


def test_one_block_on_each_of_three_networks_is_a_blocked_caller():
    networks = ("verizon", "t-mobile", "us-cellular")
    calls = [refused(*BLOCKED, at=minute(n), network=network) for n, network in enumerate(networks)]
    states = {standing.network: standing.standing for standing in assess(calls)}
    assert {**dict.fromkeys(networks, State.SUSPECT), None: State.BLOCKED} == states


def test_the_same_notice_is_folded_and_keeps_the_last_id():
    calls = [refused("603 Network Blocked", CONTACT.format(id=f"b-{n}"), at=minute(n)) for n in range(3)]
    calls.append(refused(*BLOCKED, at=minute(9)))
    first, second = whole(calls).notices
    assert ("redress@example.com", "TN", "b-2", 3) == (first.email, first.location, first.id, first.count)
    assert (minute(0), minute(2)) == (first.first_seen, first.last_seen)
    assert ("https://redress.example.com/r", 1) == (second.url, second.count)
