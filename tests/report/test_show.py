import re
from dataclasses import replace
from pathlib import Path

import pytest
from placed import BLOCKED, answered, placed, refused, request, response, unplaced

from probe.call import Direction, Ending
from probe.report.explain import explain
from probe.report.lines import as_text
from probe.report.show import show
from probe.report.text import cell_width
from probe.sip import read_response
from probe.verdict import Heard, judge, read_notice
from report.samples import ANSWERED, FLAWED, GOLDEN, HOSTILE

CORPUS = sorted((Path(__file__).parent.parent / "data" / "corpus").glob("*.sip"))
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def section(text, title):
    return text.split(f"{title}\n", 1)[1].split("\n\n", 1)[0]


def explained(raw, width):
    final = read_response(raw)
    return as_text(explain(final, read_notice(final), judge(Heard(response=final)), width=width))


def test_the_ladder_is_drawn_between_both_ends():
    text = as_text(show(answered(), width=100))
    assert (GOLDEN / "ladder_answered.txt").read_text(encoding="utf-8") == section(text, "Ladder (milliseconds)") + "\n"


def test_a_blocked_call_is_shown_in_full():
    text = as_text(show(refused(*BLOCKED, expect=ANSWERED, label="Support", consent="own SIM"), width=100))
    assert text.startswith("Blocked by call analytics (analytics_blocked, certain)\n  call ")
    facts = text.split("\n\n", 1)[0]
    assert (GOLDEN / "facts_blocked.txt").read_text(encoding="utf-8") == facts + "\n"
    assert "by the network serving the called party (RLN)" in text
    assert "https://redress.example.com/r" in section(text, "check a contact before you use it)")
    assert section(text, "Because").startswith("  - ")
    assert section(text, "Next steps").startswith("  1. ")


def test_the_raw_messages_are_all_there():
    call = refused(*BLOCKED)
    shown = as_text(show(call, width=80)).split("Messages\n", 1)[1]
    for message in call.record.messages:
        assert message.raw.decode().replace("\r\n", "\n") in shown


def test_a_flawed_contact_is_marked_where_it_stands():
    text = as_text(show(refused(*FLAWED), width=None))
    assert "https://127.0.0.1/r  do not use: bad_redress_url" in text


def test_a_call_that_was_not_placed_has_no_ladder():
    text = as_text(show(unplaced(Ending.GUARDED, "on no list", expect=ANSWERED), width=100))
    assert text.startswith("Could not be tested (inconclusive, certain)\n")
    assert "not placed, a guard rail refused: on no list" in text
    assert "answered: not tested" in text
    assert "Ladder" not in text
    assert "Messages" not in text


def test_a_message_that_was_cut_says_so():
    call = refused(*BLOCKED)
    messages = (*call.record.messages[:-1], replace(call.record.messages[-1], cut=True))
    text = as_text(show(replace(call, record=replace(call.record, messages=messages)), width=None))
    assert 1 == text.count("only its head could be kept")


@pytest.mark.parametrize("width", [None, 80, 100])
def test_hostile_text_cannot_act_on_the_terminal(width):
    call = request(caller=HOSTILE)
    reason = f'Reason: SIP;cause=603;text="v=analytics1;url=https://x.example/{HOSTILE};id={HOSTILE}"'
    raw = response(call, f"603 {HOSTILE}", reason, f"X-Note: {HOSTILE}")
    shown = placed(
        (9.0, Direction.RECEIVED, raw),
        caller=HOSTILE,
        network=HOSTILE,
        label=HOSTILE,
        campaign=HOSTILE,
        detail=HOSTILE,
        scenario=HOSTILE,
        consent=HOSTILE,
        ends=(HOSTILE, HOSTILE),
    )
    text = as_text(show(shown, width=width))
    assert None is ACTS.search(text)
    assert r"\x1b[2J" in text


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_response_of_the_corpus_can_be_explained_on_a_terminal(path):
    text = explained(path.read_bytes(), 80)
    assert None is ACTS.search(text)
    assert "\nBecause\n  - " in text
    assert "\nNext steps\n" in text


def test_a_bare_code_is_explained():
    text = explained(b"SIP/2.0 603 Decline\r\n\r\n", 80)
    assert text.startswith(
        "Rejected, by a person or a machine (rejected_ambiguous, weak)\n  response     603 Decline\n"
    )
    assert not [line for line in text.splitlines() if cell_width(line) > 80]


def test_no_sip_at_all_is_explained_too():
    text = explained(b"\x1b[2Jhello", 80)
    assert "no status line could be read" in text
    assert None is ACTS.search(text)
