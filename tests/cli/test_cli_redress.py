"""`probe redress`: the book of blocks, and the folder for a redress desk."""

import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from placed import BLOCKED, START, answered, refused

from probe.store import open_store

NUMBER, OTHER, CLEAN = "+12025550102", "+12025550103", "+12025550104"
DESK, MAIL = "redress.example.com", "mail.example"
BY_MAIL = ("603 Network Blocked", 'Reason: SIP;cause=603;text="v=analytics1;email=r@mail.example";location=TN')


@pytest.fixture
def put(probe):
    """Put calls into the store that the commands use."""
    store = open_store(probe.environment["PROBE_STORE"])
    ids = iter(range(1_000))

    def put(make, *lines, at, caller=NUMBER, **more):
        call_id = f"0197f1c2-{next(ids):04}"
        call = make(*lines, at=at, id=call_id, plan_key=call_id, caller=caller, consent="our own test SIM", **more)
        store.begin(call.record.request, at)
        store.finish(call)
        return call_id

    yield put
    store.close()


@pytest.fixture
def book(put):
    """Two blockers of one number, one of another, and a number that gets through."""
    first = put(refused, *BLOCKED, at=START)
    put(answered, at=START + timedelta(minutes=2), caller="+12025550100", control_of=first)
    put(refused, *BLOCKED, at=START + timedelta(hours=1), network="att")
    put(refused, *BY_MAIL, at=START + timedelta(hours=2))
    put(refused, *BLOCKED, at=START + timedelta(hours=3), caller=OTHER)
    put(answered, at=START, caller=CLEAN)


def stages(probe, number=NUMBER):
    return {line["blocker"]: line["redress"] for line in probe("redress", number, "--json").lines}


def files(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def test_an_empty_book_says_so(probe):
    said = probe("redress")
    assert (0, "No blocker has named itself: the book is empty.\n") == (said.code, said.out)
    assert "" == probe("redress", "--json").out


@pytest.mark.usefixtures("book")
def test_the_book_is_a_row_for_each_number_and_blocker(probe):
    heading, *rows = probe("redress").out.splitlines()
    columns = ["caller", "redress", "blocked", "first (UTC)", "last (UTC)", "blocker", "networks"]
    assert columns == re.split("  +", heading)
    assert [
        [NUMBER, "open", "1 call", "2026-11-22 12:00", "2026-11-22 12:00", MAIL, "verizon"],
        [NUMBER, "open", "2 calls", "2026-11-22 10:00", "2026-11-22 11:00", DESK, "att, verizon"],
        [OTHER, "open", "1 call", "2026-11-22 13:00", "2026-11-22 13:00", DESK, "verizon"],
    ] == [re.split("  +", row) for row in rows]


@pytest.mark.usefixtures("book")
def test_the_book_as_json_is_a_case_a_line(probe):
    lines = probe("redress", "--json").lines
    assert [(NUMBER, MAIL), (NUMBER, DESK), (OTHER, DESK)] == [(line["caller"], line["blocker"]) for line in lines]
    nothing = dict.fromkeys(("email", "card", "asked_at", "answered_at", "cleared_at", "back_at"))
    assert (
        nothing
        | {
            "caller": NUMBER,
            "blocker": DESK,
            "redress": "open",
            "count": 2,
            "first_seen": "2026-11-22T10:00:00.123Z",
            "last_seen": "2026-11-22T11:00:00.123Z",
            "networks": ["att", "verizon"],
            "url": "https://redress.example.com/r",
            "tel": "+12025550142",
            "id": "blk-0001",
            "location": "RLN",
        }
        == lines[1]
    )


@pytest.mark.usefixtures("book")
def test_a_number_is_told_with_its_standing_its_contacts_and_what_to_do(probe):
    said = probe("redress", "+1 (202) 555-0102")
    assert 0 == said.code
    assert f"{NUMBER} blocked by {DESK}: open\n" in said.out
    assert "  url          https://redress.example.com/r\n" in said.out
    assert re.search(r"  att +\w+, 1 of 1 judged calls blocked\n", said.out)
    assert f"probe redress {NUMBER} --blocker {DESK} -o DIR\n" in said.out
    assert f"probe redress {NUMBER} --blocker {MAIL} --asked\n" in said.out


@pytest.mark.usefixtures("book")
@pytest.mark.parametrize("more", [(), ("--asked",), ("-o", "folder"), ("--json",)])
def test_a_number_without_a_case_is_the_users_mistake(probe, tmp_path, more):
    said = probe("redress", CLEAN, *(str(tmp_path / one) if one == "folder" else one for one in more))
    assert (2, "") == (said.code, said.out)
    assert f"probe: {CLEAN} has no case: no blocker's notice came to a call from it; " in said.err
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("option", [("--asked",), ("--cleared",), ("-o", "x"), ("--blocker", "x")])
def test_what_is_done_about_a_number_needs_a_number(probe, option):
    said = probe("redress", *option)
    assert (2, "") == (said.code, said.out)
    assert f"{option[0]} needs a NUMBER" in said.err


@pytest.mark.usefixtures("book")
def test_a_blocker_that_has_no_case_is_the_users_mistake(probe):
    said = probe("redress", NUMBER, "--blocker", "nobody.example", "--cleared")
    assert 2 == said.code
    assert f"nobody.example has not blocked {NUMBER}; those that have are {MAIL}, {DESK}." in said.err
    assert {"open"} == set(stages(probe).values())


@pytest.mark.usefixtures("book")
def test_the_book_is_kept_step_by_step(probe):
    for option, stage in (("--asked", "asked"), ("--answered", "answered"), ("--cleared", "cleared")):
        said = probe("redress", NUMBER, "--blocker", DESK, option)
        assert (0, "", f"noted: {NUMBER} blocked by {DESK} is {stage}\n") == (said.code, said.out, said.err)
        assert {DESK: stage, MAIL: "open"} == stages(probe)
    assert {DESK: "open"} == stages(probe, OTHER)


@pytest.mark.usefixtures("book")
def test_without_a_blocker_every_case_of_the_number_is_noted(probe):
    said = probe("redress", NUMBER, "--asked", "--json")
    assert [MAIL, DESK] == [line["blocker"] for line in said.lines]
    assert 2 == said.err.count("noted: ")
    assert {DESK: "asked", MAIL: "asked"} == stages(probe)


def test_a_block_after_it_was_cleared_brings_it_back(probe, put):
    now = datetime.now(UTC)
    put(refused, *BLOCKED, at=now - timedelta(hours=2))
    probe("redress", NUMBER, "--cleared")
    put(refused, *BLOCKED, at=now - timedelta(hours=1))
    assert {DESK: "cleared"} == stages(probe)
    put(refused, *BLOCKED, at=now + timedelta(hours=1))
    assert {DESK: "back"} == stages(probe)
    assert "It was cleared on " in probe("redress", NUMBER).out


@pytest.mark.usefixtures("book")
def test_calls_that_come_late_leave_the_notes_as_they_are(probe, put):
    probe("redress", NUMBER, "--blocker", DESK, "--asked")
    put(refused, *BLOCKED, at=START - timedelta(days=9))
    case = next(line for line in probe("redress", NUMBER, "--json").lines if line["blocker"] == DESK)
    assert ("asked", 3, "2026-11-13T10:00:00.123Z") == (case["redress"], case["count"], case["first_seen"])


@pytest.mark.usefixtures("book")
def test_the_folder_of_a_case_holds_what_its_desk_asks_for(probe, tmp_path):
    place = tmp_path / "new" / "folder"
    said = probe("redress", NUMBER, "--blocker", DESK, "-o", place)
    assert (0, "") == (said.code, said.out)
    assert f"wrote 10 files to {place}" in said.err
    assert [
        "README.txt", "calls/0197f1c2-0000.pcap", "calls/0197f1c2-0002.pcap", "chart.svg", "facts.csv", "facts.txt",
        "ladder.txt", "letter.md", "messages/0197f1c2-0000.sip.txt", "messages/0197f1c2-0002.sip.txt",
    ] == files(place)  # fmt: skip
    sheet = (place / "facts.txt").read_text()
    assert "control call from +12025550100 at 2026-11-22T10:02:00.123Z: 200 OK after 3.1 s" in sheet
    assert "control call none on record\n" in sheet
    assert MAIL not in sheet


@pytest.mark.usefixtures("book")
def test_several_blockers_have_a_folder_each(probe, tmp_path):
    said = probe("redress", NUMBER, "-o", tmp_path / "out", "--json")
    assert {MAIL: str(tmp_path / "out" / MAIL), DESK: str(tmp_path / "out" / DESK)} == {
        line["blocker"]: line["folder"] for line in said.lines
    }
    assert "email        r@mail.example\n" in (tmp_path / "out" / MAIL / "facts.txt").read_text()
    assert "/r\n" in (tmp_path / "out" / DESK / "facts.txt").read_text()


@pytest.mark.usefixtures("book")
def test_only_the_owner_can_read_the_folder(probe, tmp_path):
    old = os.umask(0)
    try:
        probe("redress", NUMBER, "-o", tmp_path / "out")
    finally:
        os.umask(old)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out", *(tmp_path / "out").rglob("*"))}
    assert {0o700} == {mode for path, mode in modes.items() if path.is_dir()}
    assert {0o600} == {mode for path, mode in modes.items() if path.is_file()}


@pytest.mark.usefixtures("book")
def test_nothing_is_ever_overwritten(probe, tmp_path):
    place = tmp_path / "out"
    probe("redress", OTHER, "-o", place)
    (place / "letter.md").write_text("filled in")
    before = files(place)
    said = probe("redress", OTHER, "-o", place, "--asked")
    assert 2 == said.code
    assert f"{place} is there and is no empty folder; name a new one, for nothing is overwritten." in said.err
    assert ("filled in", before) == ((place / "letter.md").read_text(), files(place))
    assert {DESK: "open"} == stages(probe, OTHER)


@pytest.mark.usefixtures("book")
def test_an_empty_folder_that_is_there_is_taken(probe, tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    assert 0 == probe("redress", OTHER, "-o", place).code
    assert "README.txt" in files(place)


@pytest.mark.usefixtures("book")
def test_a_place_that_cannot_be_written_is_the_users_to_change(probe, tmp_path):
    (tmp_path / "file").write_text("here")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        said = probe("redress", OTHER, "-o", place)
        assert 2 == said.code
        assert 1 == said.err.count("\n")
        assert str(place) in said.err


@pytest.mark.usefixtures("book")
def test_to_write_and_to_note_go_together(probe, tmp_path):
    assert 0 == probe("redress", OTHER, "-o", tmp_path / "out", "--asked").code
    assert {DESK: "asked"} == stages(probe, OTHER)


def test_a_hostile_blocker_stays_within_the_folder_and_acts_on_no_terminal(probe, put, tmp_path):
    evil = "\x1b[2J\u202e;rm -rf x"
    for number, host in enumerate(("..", "a'b$(x)", f"{evil}.example", "x" * 300)):
        text = f"v=analytics1;url=https://{host}/../../../../etc;tel={evil};id={evil}"
        put(refused, "603 Network Blocked", f'Reason: SIP;cause=603;text="{text}"', at=START + timedelta(hours=number))
    out = tmp_path / "deep" / "out"
    said = probe("redress", NUMBER, "-o", out)
    assert 0 == said.code, said.err
    assert [out] == list((tmp_path / "deep").iterdir())
    assert 4 == len(list(out.iterdir()))
    for shown in (said.err, probe("redress").out, probe("redress", NUMBER).out):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)


@pytest.mark.usefixtures("book")
def test_nothing_that_could_open_call_or_mail_is_even_loaded(probe, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "probe", "redress", NUMBER, "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=probe.environment)
    loaded = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "probe.report.redress" in loaded
    assert set() == loaded & {
        "httpx",
        "urllib.request",
        "http.client",
        "smtplib",
        "webbrowser",
        "pjsua2",
        "socketserver",
    }
