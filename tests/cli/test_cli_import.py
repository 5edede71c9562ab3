"""`probe import` as a user meets it: good rows stand, bad ones are named, nothing is half-done."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from placed import BLOCKED, refused

from probe.report.pcap import write_pcap
from probe.store import open_store

DATA = Path(__file__).parents[1] / "data" / "import"
START = datetime(2026, 11, 1, tzinfo=UTC)


def row(number, **cells):
    return {
        "started_at": (START + timedelta(seconds=number)).isoformat(),
        "caller": f"+1202555{number % 7 + 100:04}",
        "callee": f"+1303{number + 2_000_000:07}",
        "status": 486,
        "network": "verizon",
        **cells,
    }


@pytest.fixture
def file_of(tmp_path):
    def write(*rows, name="calls.jsonl"):
        file = tmp_path / name
        file.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
        return file

    return write


def test_good_rows_stand_and_are_marked(probe):
    said = probe("import", DATA / "dialer.csv", "--network", "verizon")
    assert (0, "dialer.csv: 3 calls imported.\n") == (said.code, said.out)
    assert "dialer.csv: the column 'agent' means nothing here and is ignored.\n" == said.err
    calls = probe("calls", "--json").lines
    assert ["dialer.csv:4", "dialer.csv:3", "dialer.csv:2"] == [call["imported"] for call in calls]
    assert {"verizon"} == {call["network"] for call in calls}
    assert "analytics_blocked" == calls[-1]["verdict"]["disposition"]
    assert 412 == calls[-1]["timing"]["final_ms"]


def test_a_bad_row_is_named_with_its_line_and_the_good_ones_stand(probe, file_of):
    file = file_of(row(1), row(2, caller="202"), "nonsense", row(4))
    said = probe("import", file)
    assert 2 == said.code
    assert "calls.jsonl: 2 calls imported, 2 bad rows left out.\n" == said.out
    assert [
        'calls.jsonl line 2: caller "202" is not a phone number; write it as +12025550101.',
        "calls.jsonl line 3: is not JSON; write one object on each line.",
    ] == said.err.splitlines()
    assert 2 == len(probe("calls", "--json").lines)


def test_the_hundred_first_bad_rows_are_named_and_the_others_counted(probe, file_of):
    said = probe("import", file_of(row(0), *["{}"] * 250))
    assert (2, 101) == (said.code, len(said.err.splitlines()))
    assert "calls.jsonl: 150 more bad rows." == said.err.splitlines()[-1]


def test_json_says_what_has_become_of_the_rows(probe, file_of):
    file = file_of(row(1, agent="kim"), row(2), row(2), "{}")
    said = probe("import", file, "--json")
    expected = {"file": "calls.jsonl", "rows": 4, "imported": 2, "already": 1, "bad": 1, "ignored": ["agent"]}
    assert (2, expected) == (said.code, said.json)


def test_a_file_that_is_imported_again_adds_nothing(probe, file_of):
    file = file_of(*map(row, range(20)))
    probe("import", file)
    before = probe("standing", "--json").out
    said = probe("import", file)
    assert (0, "calls.jsonl: 0 calls imported, 20 there already.\n") == (said.code, said.out)
    assert before == probe("standing", "--json").out


def test_rows_come_through_a_pipe_too(probe):
    said = probe("import", "-", stdin=(DATA / "calls.jsonl").read_bytes())
    assert (0, "stdin: 3 calls imported.\n") == (said.code, said.out)
    assert "stdin:3" == probe("calls", "--json").lines[0]["imported"]


def test_their_standing_is_there_at_once(probe, file_of):
    reason = 'SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r";location=RLN'
    blocked = {"status": 603, "phrase": "Network Blocked", "reason": reason, "caller": "+12025550101"}
    probe("import", file_of(*(row(n, **blocked) for n in range(6))))
    with sqlite3.connect(probe.environment["PROBE_STORE"].removeprefix("sqlite:///")) as store:
        assert [] == store.execute("SELECT caller FROM stale").fetchall()
    network, whole = probe("standing", "--json").lines
    assert ("verizon", "blocked", 6) == (network["network"], network["standing"], network["blocked"])
    assert "blocked" == whole["standing"]


def test_where_a_daemon_runs_it_is_the_daemon_that_adds_up_and_tells(probe, file_of):
    store = open_store(probe.environment["PROBE_STORE"])
    store.hold("daemon", datetime.now(UTC), datetime.now(UTC) + timedelta(minutes=1))
    store.close()
    said = probe("import", file_of(row(1)))
    assert "The daemon of this store adds up the calls of its own caller IDs" in said.err
    with sqlite3.connect(probe.environment["PROBE_STORE"].removeprefix("sqlite:///")) as opened:
        assert [("+12025550101",)] == opened.execute("SELECT caller FROM stale").fetchall()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[]", "is one JSON array; write one object on each line, as jq -c '.[]' does."),
        (b"caller,callee\n", "names no column started_at in its first line"),
        (b"", "is empty."),
    ],
)
def test_a_file_of_another_kind_is_the_users_mistake(probe, content, expected):
    said = probe("import", "-", stdin=content)
    assert (2, "") == (said.code, said.out)
    assert said.err.startswith(f"probe: stdin {expected}")


def test_a_file_that_cannot_be_read_is_the_users_mistake(probe, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        said = probe("import", path)
        assert (2, f"probe: {path} cannot be read (") == (said.code, said.err[: len(f"probe: {path} cannot be read (")])


def test_a_network_that_is_no_name_is_the_users_mistake(probe, file_of):
    said = probe("import", file_of(row(1)), "--network", "a\nb")
    assert (2, True) == (said.code, said.err.startswith('probe: --network "a\\nb" holds a line break'))


def test_a_store_that_fails_is_no_mistake_of_the_file(probe, file_of, tmp_path):
    (tmp_path / "broken.db").write_bytes(b"x" * 5_000)
    said = probe("import", file_of(row(1)), "--store", f"sqlite:///{tmp_path / 'broken.db'}")
    assert (3, "") == (said.code, said.out)


def test_a_file_name_that_would_repaint_the_screen_does_not(probe, tmp_path):
    file = tmp_path / "\x1b[2J\udcff.jsonl"
    file.write_text(json.dumps(row(1)))
    said = probe("import", file)
    assert (0, True) == (said.code, "\x1b" not in said.out + said.err)
    assert "\x1b" not in probe("calls", "--json").lines[0]["imported"]


def test_hostile_text_in_a_bad_row_does_not_reach_the_terminal(probe, file_of):
    said = probe("import", file_of(json.dumps(row(1, caller="\x1b[2J\u202e")), json.dumps({"\x1b]0;x\x07": 1})))
    assert {True} == {character.isprintable() for character in said.err.replace("\n", "")}


def test_a_process_that_is_killed_leaves_nothing_half_done(probe, tmp_path, file_of):
    """Killed while it writes: what stands is whole and adds up, and the second run completes it."""
    file, path = file_of(*map(row, range(10_500))), tmp_path / "probe.db"
    command = [sys.executable, "-m", "probe", "import", str(file)]
    with subprocess.Popen(command, env=probe.environment, stdout=subprocess.DEVNULL) as process:
        wait_for_calls(path, process)
        process.kill()
    with sqlite3.connect(path) as store:
        counts = "SELECT (SELECT count(*) FROM call), (SELECT count(*) FROM opinion), (SELECT count(*) FROM stale)"
        calls, opinions, stale = store.execute(counts).fetchone()
    assert 0 < calls < 10_500
    assert (calls, 7) == (opinions, stale)
    assert calls == sum(judged(probe).values())
    said = probe("import", file)
    assert f"calls.jsonl: {10_500 - calls:,} calls imported, {calls:,} there already.\n" == said.out
    assert {f"+1202555{number + 100:04}": 1_500 for number in range(7)} == judged(probe)


def wait_for_calls(path, process):
    """Wait until the first batch stands there; each look is a read of its own, as another program's would be."""
    while process.poll() is None:
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
                if store.execute("SELECT count(*) FROM call").fetchone()[0]:
                    return
        except sqlite3.OperationalError:
            pass  # not made yet
        time.sleep(0.005)  # nobody tells of a row; to ask without a pause keeps a core from the one that writes it
    pytest.fail("it ended before a call stood in the store")


def judged(probe):
    return {one["caller"]: one["judged"] for one in probe("standing", "--json").lines if one["network"] is None}


def test_the_death_of_the_process_that_reads_is_told_of(probe, tmp_path, file_of):
    """What it had read stands. Its death is made by a program that takes the interpreter's place for it."""
    broken = tmp_path / "probe" / "cli"
    shutil.copytree(Path(__file__).parents[2] / "probe", tmp_path / "probe", ignore=shutil.ignore_patterns("*.pyc"))
    reader = broken / "reader.py"
    reader.write_text(reader.read_text().replace("for batch in batches(read):", "for batch in [*batches(read)][:-1]:"))
    done = subprocess.run(
        [sys.executable, "-m", "probe", "import", str(file_of(*map(row, range(5_001))))],
        cwd=tmp_path,
        env=probe.environment | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 3 == done.returncode
    assert done.stderr.endswith(
        "probe: the process that reads calls.jsonl died; "
        "what it had read stands in the store, so import the file again\n"
    )
    assert 5_000 == probe("import", tmp_path / "calls.jsonl", "--json").json["already"]


def test_a_capture_is_read_with_tshark(probe, tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark (Debian: tshark)")
    file = tmp_path / "trace.pcap"
    capture = write_pcap(refused(*BLOCKED).record)
    file.write_bytes(capture.replace(b">;tag=b2\r\nCall-ID", b">       \r\nCall-ID", 1))  # an INVITE that opens a call
    said = probe("import", "--pcap", file)
    assert (0, "trace.pcap: 1 call imported.\n") == (said.code, said.out)
    [call] = probe("calls", "--json").lines
    assert ("trace.pcap:1", "analytics_blocked") == (call["imported"], call["verdict"]["disposition"])
    assert "INVITE (caller +12025550101)" in probe("show", call["id"]).out


def test_without_tshark_a_capture_is_not_tried(probe, tmp_path):
    said = probe("import", "--pcap", tmp_path / "trace.pcap", env={"PATH": str(tmp_path)})
    assert 2 == said.code
    assert (
        "probe: --pcap needs tshark, which is not installed; install it (Debian: apt-get install tshark).\n" == said.err
    )


def test_whoever_reads_our_output_may_leave(probe, file_of):
    """`probe import FILE | head` is no error that a user should see."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "probe", "import", str(file_of(row(1)))],
        env=probe.environment,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (128 + signal.SIGPIPE, b"") == (done.returncode, done.stderr)
