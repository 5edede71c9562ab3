"""What networks do to a 603+ on its way (standards, 3.1 to 3.3), part by part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.sip import read_response
from probe.verdict.survival import PARTS, Fate, is_whole, survival

PHRASE = "Network Blocked"
TEXT = "v=analytics1;url=https://example.com/r;tel=+12025550142;id=probe-1"
REASON = f'SIP;cause=603;text="{TEXT}";location=RLN'
INTACT, CHANGED, LOST = Fate.INTACT, Fate.CHANGED, Fate.LOST
NAMES = ("status", "phrase", "cause", "text", "location", "id")


def came(status_line, *reasons):
    lines = [f"SIP/2.0 {status_line}", "CSeq: 1 INVITE", *(f"Reason: {reason}" for reason in reasons)]
    return read_response("\r\n".join([*lines, "", ""]).encode())


def fates(*answer):
    return tuple(part.fate for part in survival(PHRASE, REASON, came(*answer)))


def damaged(**fates_of):
    """The fates of all parts, intact but for those given."""
    return tuple(fates_of.get(name, INTACT) for name in NAMES)


def test_the_parts_have_their_order():
    assert NAMES == PARTS


@pytest.mark.parametrize(
    "answer",
    [
        (f"603 {PHRASE}", REASON),
        (f"603 {PHRASE}", f'sip ; cause = 603 ;location=RLN; text="{TEXT}"'),
        (f"603 {PHRASE}", "Q.850;cause=17", REASON),
        (f"603 {PHRASE}", f"Q.850;cause=21, {REASON}"),
        (f"603 {PHRASE}", REASON, 'SIP;cause=603;text="another network adds its own"'),
    ],
)
def test_what_the_standards_allow_on_the_way_is_no_damage(answer):
    assert damaged() == fates(*answer)


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ((f"603 {PHRASE}",), damaged(cause=LOST, text=LOST, location=LOST, id=LOST)),
        (("603 Decline",), damaged(phrase=CHANGED, cause=LOST, text=LOST, location=LOST, id=LOST)),
        (("603 Decline", REASON), damaged(phrase=CHANGED)),  # FreeSWITCH with its passthrough unset
        (("603 ", REASON), damaged(phrase=LOST)),
        (("603 NETWORK BLOCKED", REASON), damaged(phrase=CHANGED)),
        (("486 Busy Here", REASON), damaged(status=CHANGED, phrase=CHANGED)),
        (("480 Temporarily Unavailable",), (CHANGED, CHANGED, LOST, LOST, LOST, LOST)),
        (("200 OK",), (CHANGED, CHANGED, LOST, LOST, LOST, LOST)),
        # The Reason crossed TDM: its cause is all that is left, and another one.
        (("603 Decline", "Q.850;cause=21;location=U"), (INTACT, CHANGED, LOST, LOST, LOST, LOST)),
        ((f"603 {PHRASE}", "SIP;cause=603"), damaged(text=LOST, location=LOST, id=LOST)),
        ((f"603 {PHRASE}", 'SIP;cause=603;text="Call rejected"'), damaged(text=CHANGED, location=LOST, id=LOST)),
        ((f"603 {PHRASE}", REASON.replace("RLN", "TN")), damaged(location=CHANGED)),
        ((f"603 {PHRASE}", REASON.replace(";location=RLN", "")), damaged(location=LOST)),
        ((f"603 {PHRASE}", REASON.replace("probe-1", "probe-2")), damaged(text=CHANGED, id=CHANGED)),
        ((f"603 {PHRASE}", REASON.replace(";id=probe-1", "")), damaged(text=CHANGED, id=LOST)),
        ((f"603 {PHRASE}", REASON.replace("SIP;cause=603", "Q.850;cause=21")), damaged(cause=CHANGED)),
        ((f"603 {PHRASE}", REASON.replace("cause=603", "cause=21")), damaged(cause=CHANGED)),
        # Typographic quotes, as one vendor's manual has them: the words can be read, the header is broken.
        ((f"603 {PHRASE}", REASON.replace('"', "\u201d")), damaged(text=CHANGED)),
        ((f"603 {PHRASE}", REASON.replace('"', "")), damaged(text=CHANGED, id=INTACT)),
        ((f"603 {PHRASE}", f'SIP;cause=603;text="{TEXT}'), damaged(text=CHANGED, location=LOST)),
        ((f"603 {PHRASE}", REASON[:80]), damaged(text=CHANGED, location=LOST, id=CHANGED)),
        ((f"603 {PHRASE}", REASON[:64]), damaged(text=CHANGED, location=LOST, id=LOST)),
        ((f"603 {PHRASE}", REASON[:19]), damaged(text=LOST, location=LOST, id=LOST)),
        ((f"603 {PHRASE}", REASON.replace("https", "http")), damaged(text=CHANGED)),
        ((f"603 {PHRASE}", REASON.upper()), damaged(text=CHANGED, id=CHANGED)),
    ],
)
def test_each_damage_is_told_by_the_parts_that_it_hit(answer, left):
    assert left == fates(*answer)


def test_a_part_says_what_was_sent_and_what_came():
    _, phrase, *_, location, _ = survival(PHRASE, REASON, came("603 Decline", REASON.replace("RLN", "LN")))
    assert ("Network Blocked", "Decline") == (phrase.sent, phrase.came)
    assert ("RLN", "LN") == (location.sent, location.came)


def test_what_was_not_sent_cannot_be_lost():
    bare = 'SIP;cause=603;text="v=analytics1;url=https://example.com/r"'
    assert ("status", "phrase", "cause", "text") == tuple(
        part.name for part in survival(PHRASE, bare, came(f"603 {PHRASE}", bare))
    )


def test_a_far_end_may_send_the_form_of_q850():
    reason = 'Q.850;cause=21;text="v=analytics1;email=desk@example.com";location=TN'
    assert is_whole(survival(PHRASE, reason, came(f"603 {PHRASE}", reason)))
    assert not is_whole(survival(PHRASE, reason, came("603 Decline", "Q.850;cause=21;location=U")))


def test_something_that_is_no_status_line_is_no_603():
    left = {part.name: part.fate for part in survival(PHRASE, REASON, read_response(b"\x00\x01"))}
    assert {LOST} == set(left.values())


@given(st.integers(1, len(REASON) - 1))
def test_a_reason_that_was_cut_anywhere_is_never_whole(length):
    parts = survival(PHRASE, REASON, came(f"603 {PHRASE}", REASON[:length]))
    assert not is_whole(parts)
    assert INTACT is parts[0].fate is parts[1].fate


@given(st.text(), st.binary(max_size=300))
def test_no_answer_is_too_strange_to_compare(phrase, raw):
    survival(phrase, REASON, read_response(raw))
    survival(PHRASE, phrase, read_response(raw))
