"""Each number and each caller ID of the carrier does what README.md says."""

import re
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asterisk.container import Carrier
from asterisk.plain_caller import FRAME, PACKETS, Line, Outcome, await_bye, call, hold, register, unregister_all

CLEAN, CONTROL = "+12025550101", "+12025550100"
HERE = Path(__file__).parent

# number: status, phrase, provisional statuses, Reason
REFUSALS = {
    "+12025550160": (603, "Decline", (100, 180), "Q.850;cause=0"),
    "+12025550161": (603, "Decline", (100,), "Q.850;cause=0"),
    "+12025550162": (486, "Busy Here", (100, 180), "Q.850;cause=17"),
    "+12025550163": (486, "Busy Here", (100,), "Q.850;cause=17"),
    "+12025550164": (480, "Temporarily Unavailable", (100,), "Q.850;cause=20"),
    "+12025550165": (404, "Not Found", (100,), "Q.850;cause=1"),
    "+12025550166": (403, "Forbidden", (100,), "Q.850;cause=21"),
    "+12025550167": (500, "Service Unavailable", (100,), ""),
    "+12025550168": (488, "Not Acceptable Here", (100,), "Q.850;cause=58"),
    "+12025550169": (500, "Server Internal Error", (100,), "Q.850;cause=127"),
    "+12025550170": (603, "Decline", (100, 183), "Q.850;cause=0"),
    "+12025550171": (603, "Decline", (100,), "Q.850;cause=16"),
    "+12025550172": (480, "Temporarily Unavailable", (100, 180), "Q.850;cause=19"),
    "+12025550173": (484, "Address Incomplete", (100,), "Q.850;cause=28"),
    "+12025550174": (410, "Gone", (100,), "Q.850;cause=22"),
    "+12025550175": (600, "Busy Everywhere", (100,), "Q.850;cause=0"),
    "+12025550176": (604, "Does Not Exist Anywhere", (100,), "Q.850;cause=0"),
    "+12025550185": (302, "Moved Temporarily", (), ""),
    "+12025550186": (503, "Service Unavailable", (), ""),
    "+12025550187": (607, "Unwanted", (), 'SIP;cause=607;text="Unwanted"'),
    "+12025550188": (603, "Decline", (), ""),
    "+12025550199": (404, "Not Found", (100,), ""),
}

# caller ID: status, phrase, header, its value
BLOCKS = {
    "+12025550102": (
        603,
        "Network Blocked",
        "Reason",
        'SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r;tel=+18005550100;id=blk-0001";location=RLN',
    ),
    "+12025550103": (608, "Rejected", "Call-Info", "<https://block.example.com/complaint-jws>;purpose=jwscard"),
    "+12025550104": (
        603,
        "Network Blocked",
        "Reason",
        'Q.850;cause=21;text="v=analytics1;email=redress@example.com";location=TN',
    ),
}


@pytest.fixture(scope="module")
def refused(asterisk: Carrier) -> Mapping[str, Outcome]:
    """Call every refusing number at once: those that ring take two seconds each."""

    def ring(callee: str) -> Outcome:
        with Line(asterisk, CLEAN) as line:
            return call(line, callee)

    with ThreadPoolExecutor(len(REFUSALS)) as pool:
        return dict(zip(REFUSALS, pool.map(ring, REFUSALS), strict=True))


@pytest.mark.parametrize("callee", REFUSALS)
def test_a_refusing_number_refuses_as_the_table_says(refused: Mapping[str, Outcome], callee: str) -> None:
    outcome = refused[callee]
    assert outcome.final is not None
    assert REFUSALS[callee] == (
        outcome.status,
        outcome.final.phrase,
        outcome.provisional,
        outcome.final.one("Reason"),
    )


@pytest.mark.parametrize(
    ("callee", "header", "value"),
    [
        ("+12025550185", "Contact", "<sip:+12025550150@other.example.com>"),
        ("+12025550186", "Retry-After", "30"),
        ("+12025550188", "X-Twilio-Error", "32203 Call blocked by Twilio"),
    ],
)
def test_the_edge_adds_the_header_that_goes_with_its_refusal(
    refused: Mapping[str, Outcome], callee: str, header: str, value: str
) -> None:
    final = refused[callee].final
    assert final is not None
    assert [value] == final.all(header)


@pytest.mark.parametrize("caller", BLOCKS)
def test_the_analytics_block_a_caller_id_whatever_it_calls(asterisk: Carrier, caller: str) -> None:
    for callee in ("+12025550150", "+12025550163"):
        with Line(asterisk, caller) as line:
            final = call(line, callee).final
        assert final is not None
        status, phrase, header, value = BLOCKS[caller]
        assert (status, phrase, [value]) == (final.status, final.phrase, final.all(header))


@pytest.mark.parametrize("caller", [CLEAN, CONTROL])
def test_a_clean_caller_id_reaches_the_callee(asterisk: Carrier, caller: str) -> None:
    with Line(asterisk, caller) as line:
        assert 486 == call(line, "+12025550163").status


@pytest.mark.parametrize("header", ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"])
def test_an_identity_header_goes_before_from(asterisk: Carrier, header: str) -> None:
    with Line(asterisk, CLEAN) as line:
        assert 608 == call(line, "+12025550163", extra=(f"{header}: <sip:+12025550103@example.com>",)).status


@pytest.mark.parametrize(
    ("transport", "host"), [("udp", "127.0.0.1"), ("tcp", "127.0.0.1"), ("tls", "127.0.0.1"), ("udp", "::1")]
)
def test_an_answered_call_hears_itself_until_it_says_bye(asterisk: Carrier, transport: str, host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("This machine has no IPv6 loopback: enable IPv6 in its kernel.")
    with Line(asterisk, CLEAN, transport=transport, host=host) as line:
        outcome = hold(line, "+12025550151", call(line, "+12025550151"))
    assert (200, (FRAME,) * PACKETS, 200) == (outcome.status, outcome.rtp, outcome.after_bye)


@pytest.mark.parametrize(("callee", "provisional"), [("+12025550150", (100,)), ("+12025550153", (100, 180))])
def test_an_answered_call_hears_a_tone(asterisk: Carrier, callee: str, provisional: tuple[int, ...]) -> None:
    with Line(asterisk, CLEAN) as line:
        outcome = hold(line, callee, call(line, callee))
    assert (200, provisional, 200) == (outcome.status, outcome.provisional, outcome.after_bye)
    assert all(len(set(payload)) > 10 and payload != FRAME for payload in outcome.rtp)


@pytest.mark.parametrize(
    ("transport", "callee", "reason"),
    [("udp", "+12025550152", "Q.850;cause=16"), ("tls", "+12025550155", 'SIP;cause=607;text="Unwanted"')],
)
def test_the_callee_hangs_up_and_says_why(asterisk: Carrier, transport: str, callee: str, reason: str) -> None:
    with Line(asterisk, CLEAN, transport=transport) as line:
        outcome = await_bye(line, call(line, callee))
    assert outcome.farewell is not None
    assert (200, "BYE", [reason]) == (
        outcome.status,
        outcome.farewell.start.split()[0],
        outcome.farewell.all("Reason"),
    )


def test_a_phone_that_rings_for_ever_takes_cancel(asterisk: Carrier) -> None:
    with Line(asterisk, CLEAN) as line:
        outcome = call(line, "+12025550154", cancel=True)
    assert (487, (100, 180)) == (outcome.status, outcome.provisional)


def test_silence_has_not_even_a_100(asterisk: Carrier) -> None:
    with Line(asterisk, CLEAN) as line:
        assert Outcome() == call(line, "+12025550189")


@pytest.mark.parametrize(("callee", "ringing"), [("+12025550160", 180), ("+12025550170", 183)])
def test_who_offers_100rel_gets_provisional_responses_reliably(asterisk: Carrier, callee: str, ringing: int) -> None:
    with Line(asterisk, CLEAN) as line:
        outcome = call(line, callee, extra=("Supported: 100rel",))
    assert ((100, ringing), (200,), 603) == (outcome.provisional, outcome.pracked, outcome.status)


@pytest.mark.parametrize(("callee", "challenge"), [("+12025550180", 407), ("+12025550181", 401)])
def test_digest_lets_in_who_knows_the_password(asterisk: Carrier, callee: str, challenge: int) -> None:
    with Line(asterisk, CLEAN) as line:
        outcome = hold(line, callee, call(line, callee, password=asterisk.password))
    assert ((challenge,), 200, 200) == (outcome.challenges, outcome.status, outcome.after_bye)
    with Line(asterisk, CLEAN) as line:
        outcome = call(line, callee, password="wrong")
    assert ((challenge,), challenge) == (outcome.challenges, outcome.status)


def test_one_number_answers_only_while_the_account_is_registered(asterisk: Carrier) -> None:
    with Line(asterisk, CLEAN) as phone:
        assert [401, 200] == register(phone, asterisk.username, asterisk.password, expires=60)
        with Line(asterisk, CLEAN) as line:
            assert 200 == hold(line, "+12025550182", call(line, "+12025550182")).status
        unregister_all(phone, asterisk.username, asterisk.password)
    with Line(asterisk, CLEAN) as line:
        assert 403 == call(line, "+12025550182").status


def test_registration_with_a_wrong_password_is_refused(asterisk: Carrier) -> None:
    with Line(asterisk, CLEAN) as phone:
        assert [401, 401] == register(phone, asterisk.username, "wrong", expires=60)


def test_the_readme_names_every_number() -> None:
    rules = (HERE / "etc" / "extensions.conf").read_text() + (HERE / "etc" / "kamailio.cfg").read_text()
    known = {number[-4:] for number in re.findall(r"\+120255501[5-8]\d", rules)}
    assert known == set(re.findall(r"(?m)^\| (01[5-8]\d) \|", (HERE / "README.md").read_text()))


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
