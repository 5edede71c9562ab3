"""The folder for a redress desk: every fact that desks ask for is in it, and nothing in it acts."""

import csv
import io
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from placed import BLOCKED, START, answered, refused, request, response

from probe.call import Direction
from probe.health import Accounts, observe
from probe.health.redress import Step, book, noted
from probe.judged import digest_of, judge_call
from probe.report.dossier import CALL_FACTS, MOST_WITH_MESSAGES, BlockedCall, Dossier
from probe.report.letter import code
from probe.report.redress import folder, safe_name
from report.samples import HOSTILE

ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
CONTROL = "+12025550100"
FLAWED = "url=http://redress.example.com/r;tel=+19005550142"
EVERYTHING = (
    "603 Network Blocked",
    f'Reason: SIP;cause=603;text="v=analytics1;{FLAWED};email=redress@example.com;id=blk-0001";location=RLN',
)


def blocked(number=0, lines=BLOCKED, **more):
    return refused(*lines, at=START + timedelta(minutes=number), id=f"0197f1c2-{number:04}", **more)


def dossier_of(*calls, control=None, **more):
    """A dossier of these calls, which may have one blocker only; each has the control call, if there is one."""
    seen = [observe(call) for call in calls]
    accounts = Accounts()
    for one in seen:
        accounts.add(one)
    (case,) = book(seen, [])
    newest = sorted(calls, key=lambda call: call.record.started_at, reverse=True)
    return Dossier(
        case=case,
        made_at=START + timedelta(days=2),
        calls=tuple(BlockedCall(call=call, control=control) for call in newest if call.notice),
        standings=accounts.standings(),
        observations=tuple(seen),
        **more,
    )


def written(dossier):
    return {name: content.decode() for name, content in folder(dossier).items() if not name.endswith(".pcap")}


def table(dossier):
    return list(csv.DictReader(io.StringIO(written(dossier)["facts.csv"], newline="")))


def without_messages(call):
    return judge_call(replace(call.record, messages=(), digest=digest_of(call)))


@pytest.fixture
def full():
    """A dossier in which nothing is missing."""
    call = blocked(lines=EVERYTHING, timezone="America/New_York", consent="our own test SIM", rang_ms=200)
    control = answered(at=START + timedelta(minutes=2), caller=CONTROL, control_of=call.record.request.id)
    return dossier_of(call, control=control)


def test_the_table_of_facts_has_what_every_desk_asks_for():
    asked = {fact.column for fact in CALL_FACTS if fact.asked_by}
    assert {"sip_call_id", "started_at", "started_at_callee", "caller", "callee", "notice_id"} <= asked
    assert len(CALL_FACTS) == len({fact.column for fact in CALL_FACTS}) == len({fact.label for fact in CALL_FACTS})


@pytest.mark.parametrize("fact", CALL_FACTS, ids=lambda fact: fact.column)
def test_each_fact_stands_in_the_sheet_and_in_the_table(full, fact):
    (call,) = full.calls
    value = fact.of(call)
    assert value is not None or fact.column == "card"  # only a 608 has one
    (row,) = table(full)
    assert ("" if value is None else str(value)) == row[fact.column].removeprefix("'")
    if value is not None:
        assert re.search(
            rf"^  {re.escape(fact.label)} +{re.escape(str(value))}$", written(full)["facts.txt"], re.MULTILINE
        )


def test_the_facts_are_those_of_the_call(full):
    (row,) = table(full)
    expected = {
        "caller": "'+12025550101",
        "callee": "'+12025550191",
        "started_at": "2026-11-22T10:00:00.123Z",
        "started_at_callee": "2026-11-22 05:00:00.123-05:00 (America/New_York)",
        "sip_call_id": "c1@probe.example.net",
        "notice_id": "blk-0001",
        "status": "603 Network Blocked",
        "reason": EVERYTHING[1].removeprefix("Reason: "),
        "notice": "603+",
        "location": "by the network serving the called party (RLN)",
        "url": "http://redress.example.com/r",
        "tel": "'+19005550142",
        "email": "redress@example.com",
        "flaws": "bad_redress_url, premium_redress_tel",
        "final_ms": "412",
        "rang": "yes, 200 ms after the INVITE",
        "disposition": "analytics_blocked",
        "confidence": "strong",
    }
    assert expected == {name: row[name] for name in expected}
    assert row["control"].startswith("from +12025550100 at 2026-11-22T10:02:00.123Z: 200 OK after 3.1 s, ")


def test_a_fact_that_is_asked_for_and_missing_is_said_to_be_missing():
    bare = without_messages(blocked(lines=("603 Network Blocked",), callee="+8835100012345"))
    dossier = dossier_of(replace(bare, conversation=replace(bare.conversation, call_id=None)))
    sheet = written(dossier)["facts.txt"]
    missing = {fact.label: fact.missing for fact in CALL_FACTS if fact.asked_by and fact.of(dossier.calls[0]) is None}
    wanted = {"time there", "Call-ID", "reference", "Reason", "refused", "url", "tel", "email", "control call"}
    assert wanted == set(missing)
    for label, words in missing.items():
        assert re.search(rf"^  {label} +{words}$", sheet, re.MULTILINE)


def test_a_contact_stands_beside_what_is_wrong_with_it_and_is_no_link(full):
    files = written(full)
    assert "http://redress.example.com/r  [do not open it: no safe public https address]\n" in files["facts.txt"]
    assert "+19005550142  [do not call it: it costs a premium]\n" in files["facts.txt"]
    assert (
        "- url: `http://redress.example.com/r` **[do not open it: no safe public https address]**\n"
        in files["letter.md"]
    )
    assert not re.search(r"\]\(|<\w+:|(?<![`=])https?://(?!redress\.example\.com/r[`;])", files["letter.md"])
    assert "href" not in files["chart.svg"]


def test_the_sheet_says_how_the_number_stands():
    calls = [blocked(number) for number in range(4)]
    sheet = written(dossier_of(*calls))["facts.txt"]
    assert "blocked      4 calls\n" in sheet
    assert "first block  22 Nov 2026, 10:00 UTC\n" in sheet
    assert "last block   22 Nov 2026, 10:03 UTC\n" in sheet
    assert re.search(
        r"  verizon +blocked since 22 Nov 2026, 10:00 UTC; 4 of 4 judged calls blocked \(100 %, 95 % in", sheet
    )
    assert "  as a whole   blocked since " in sheet


def test_the_raw_messages_are_all_there():
    call = blocked()
    text = written(dossier_of(call))["messages/0197f1c2-0000.sip.txt"]
    for message in call.record.messages:
        assert message.raw.decode().replace("\r\n", "\n") in text
    assert text.startswith("── 1. sent at 0 ms over udp, 192.0.2.10:5060 -> 192.0.2.20:5060\nINVITE ")


def test_the_ladder_of_each_call_is_drawn():
    ladders = written(dossier_of(blocked(0), blocked(1)))["ladder.txt"]
    assert 2 == ladders.count("INVITE (caller +12025550101)") == ladders.count("603 Network Blocked ──│")


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark (Debian: tshark)")
def test_tshark_reads_the_capture_of_each_call(tmp_path):
    files = folder(dossier_of(blocked(0), blocked(1)))
    captures = [name for name in files if name.endswith(".pcap")]
    assert ["calls/0197f1c2-0001.pcap", "calls/0197f1c2-0000.pcap"] == captures
    fields = ["-e", "sip.Method", "-e", "sip.Status-Line", "-e", "sip.Call-ID"]
    for name in captures:
        capture = tmp_path / "call.pcap"
        capture.write_bytes(files[name])
        command = ["tshark", "-n", "-r", capture, "-Y", "sip", "-T", "fields", *fields]
        read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert ["INVITE", "", "c1@probe.example.net"] == read.splitlines()[0].split("\t")
        assert ["", "SIP/2.0 603 Network Blocked", "c1@probe.example.net"] == read.splitlines()[2].split("\t")


def test_a_call_whose_messages_were_pruned_is_told_with_what_is_known():
    kept, pruned = blocked(1), without_messages(blocked(0))
    dossier = dossier_of(kept, pruned)
    files = folder(dossier)
    assert 1 == len([name for name in files if name.startswith("messages/")])
    assert 1 == len([name for name in files if name.startswith("calls/")])
    row = table(dossier)[1]
    assert ("c1@probe.example.net", "603 Network Blocked", "blk-0001") == (
        row["sip_call_id"], row["status"], row["notice_id"],
    )  # fmt: skip
    assert "a call of our own, its messages are no longer kept" == row["source"]
    assert "The messages of this call are not held." in files["ladder.txt"].decode()


def test_of_very_many_calls_the_newest_are_told_in_full_and_the_sheet_says_so():
    dossier = dossier_of(*(blocked(number) for number in range(MOST_WITH_MESSAGES + 5)))
    files = written(dossier)
    assert 50 == len([name for name in files if name.startswith("messages/")])
    assert "messages/0197f1c2-0054.sip.txt" in files
    assert "messages/0197f1c2-0004.sip.txt" not in files
    assert 55 == len(table(dossier))
    assert "The newest 50 of 55 blocked calls: " in files["facts.txt"]


def test_the_chart_shows_what_got_through_too():
    drawing = ET.fromstring(written(dossier_of(blocked(0), answered(at=START, network="att")))["chart.svg"])
    described = drawing.find("{http://www.w3.org/2000/svg}desc").text
    assert "att: 1 through." in described
    assert "verizon: 1 blocked." in described


def test_the_letter_states_the_facts_and_asks_for_what_the_rule_gives(full):
    letter = written(full)["letter.md"]
    for words in (
        "# Request for redress: calls from `+12025550101` are blocked",
        "redress.example.com`",
        "- email: `redress@example.com`",
        "**Your reference** `blk-0001`",
        "- Blocked: 1 call on `verizon`",
        "- The answer to the latest: `603 Network Blocked`",
        "603+, blocked by call analytics (ATIS-1000099), by the network serving the called party (`RLN`)",
        "1 of 1 judged calls blocked, all blockers together: 100 %",
        "- Beside 1 blocked call we called the same number from another of our numbers: 1 got through.",
        "- Test calls of our own among them, to lines whose owners agreed to be called: 1",
        "- 2026-11-22 10:00:00 UTC, to `+12025550191`, Call-ID `c1@probe.example.net`",
        "47 CFR 64.1200(k)(8)",
        "within 24 hours",
        "single point of contact",
        "Charge nothing",
        "cease the treatment",
    ):
        assert words in letter


def test_the_letter_leaves_to_the_user_what_only_the_user_knows(full):
    letter = written(full)["letter.md"]
    for blank in (
        "company",
        "registrations",
        "use case",
        "evidence of consent",
        "letter of authorization",
        "name, func",
    ):
        assert f"[{blank}" in letter
    assert letter.startswith("> Draft.")
    assert "This is not legal advice." in letter
    assert letter.endswith("[name, function, telephone, e-mail]\n")


def test_a_letter_to_a_blocker_without_contact_says_whom_to_ask():
    letter = written(dossier_of(blocked(lines=("603 Network Blocked",))))["letter.md"]
    assert "`unnamed`" in letter
    assert "[the refusals name no contact: ask your trunk provider" in letter


def test_the_contact_of_a_608_is_its_card():
    lines = ("608 Rejected", "Call-Info: <https://192.0.2.1/jws>;purpose=jwscard")
    files = written(dossier_of(blocked(lines=lines)))
    assert (
        "  card         https://192.0.2.1/jws  [do not open it: no safe public https address]\n" in files["facts.txt"]
    )
    assert "- card: `https://192.0.2.1/jws` **[do not" in files["letter.md"]


def test_a_desk_is_told_which_calls_were_no_tests():
    imported = blocked(1)
    imported = replace(imported, record=replace(imported.record, imported="dialer.csv"))
    dossier = dossier_of(blocked(0), imported)
    letter = written(dossier)["letter.md"]
    assert "to lines whose owners agreed to be called: 1\n" in letter
    assert "- Calls of our business among them, as `dialer.csv` recorded them: 1\n" in letter
    assert "reported by dialer.csv" == table(dossier)[0]["source"]


def test_a_block_that_came_back_is_told_as_such():
    dossier = dossier_of(blocked(0))
    cleared = noted(dossier.case, Step.CLEARED, START + timedelta(days=1))
    back = replace(cleared, back_at=START + timedelta(days=2))
    files = written(replace(dossier, case=back))
    assert "lifted by 23 Nov 2026, 10:00 UTC and is back since 24 Nov 2026, 10:00 UTC." in files["letter.md"]
    assert "  back again   24 Nov 2026, 10:00 UTC\n" in files["facts.txt"]


def test_the_read_me_names_every_file(full):
    files = written(full)
    for name in files:
        if "/" not in name and name != "README.txt":
            assert f"  {name} " in files["README.txt"]
    assert "note it: probe redress +12025550101 --blocker redress.example.com --asked" in files["README.txt"]


def test_a_case_whose_calls_are_gone_can_still_be_told(full):
    files = written(replace(full, calls=(), observations=(), standings=()))
    assert "The newest 0 of 1 blocked calls: " in files["facts.txt"]
    assert "facts.csv:" not in files["letter.md"]
    assert "- url: `http://redress.example.com/r`" in files["letter.md"]


def test_the_same_dossier_gives_the_same_bytes(full):
    assert folder(full) == folder(full)


def hostile():
    """A call with hostile text wherever the network, or a file that was imported, can put some."""
    evil = f"{HOSTILE}../../[x](https://evil.example)<a href=//evil.example>`=cmd|'"
    asked = request(caller=evil)
    text = f"v=analytics1;url=https://a/{evil};tel={evil};email={evil};id={evil}"
    reason = f'Reason: SIP;cause=603;text="{text}";location={evil}'
    raw = response(asked, f"603 Network Blocked{evil}", reason, f"X-Note: {evil}")
    call = blocked(
        lines=("603 Network Blocked", reason),
        caller=evil, network=evil, trunk=evil, label=evil, ends=(evil, evil),
    )  # fmt: skip
    first, *others = call.record.messages
    messages = (first, *(replace(one, raw=raw) if one.direction is Direction.RECEIVED else one for one in others))
    record = replace(call.record, messages=messages, imported=evil)
    return judge_call(replace(record, request=replace(record.request, id=f"../{evil}")))


def test_hostile_text_cannot_leave_the_folder():
    for name in folder(dossier_of(hostile())):
        assert len(PurePosixPath(name).parts) <= 2
        assert re.fullmatch(r"(?:(?:calls|messages)/)?[A-Za-z0-9_][A-Za-z0-9._+@-]{0,120}", name)


def test_hostile_text_does_not_act_in_any_file():
    files = written(dossier_of(hostile()))
    for name, text in files.items():
        assert None is ACTS.search(text.replace("\r\n", "\n") if name.endswith(".csv") else text), name
    ET.fromstring(files["chart.svg"])
    (row,) = csv.DictReader(io.StringIO(files["facts.csv"], newline=""))
    assert not [cell for cell in row.values() if cell.startswith(tuple("=+-@"))]
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", files["letter.md"])
    assert "evil" not in outside


@pytest.mark.parametrize("text", ["..", ".", "/etc/passwd", "-rf", "", "a/b", "a\\b", "a\0b", "CON\n", "é", "x" * 300])
def test_a_name_is_safe_and_told_from_others(text):
    name = safe_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+@-]*", name)
    assert len(name) <= 100
    assert name != safe_name(text + "!")


def test_a_harmless_name_stays_as_it_is():
    assert "redress.example.com" == safe_name("redress.example.com")


@given(text=st.text(st.characters() | st.sampled_from("`\\ \n[]()<>"), max_size=60))
def test_a_code_span_holds_whatever_it_is_given(text):
    span = code(text)
    fence = re.match("`+", span)[0]
    assert span.endswith(fence)
    inside = span[len(fence) : -len(fence)]
    assert fence not in re.findall("`+", inside)
    assert not inside.startswith("`")
    assert not inside.endswith("`")
    assert "\n" not in inside
