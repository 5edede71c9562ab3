"""Output that cannot be written: a full disk, a reader that has gone, a stream that was closed before we began."""

import os
import subprocess
import sys

import pytest
from agent.far_end import FarEnd, reply
from daemon_process import fresh_store, open_round

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")  # noqa: PTH110 - a device
SCENARIO = """
trunk: {{name: far, uri: "sip:127.0.0.1:{port}", lines: 2, calls_per_second: 8}}
callers: [{{number: +12025550101}}]
destinations:
  - {{number: +12025550191, network: a, consent: a far end}}
  - {{number: +12025550192, network: a, consent: a far end}}
call: {{ring_limit: 3s, hold: 0s}}
limits: none
schedule: {{calendar: {{days: 1, at: 00:00, since: 2099-01-01}}}}
"""
BROKEN = """
from probe.cli import explain
explain.judge = None
from probe.__main__ import main
main()
"""


def shell(words, *command):
    """Run a command with its streams as the shell's words have them."""
    line = ["sh", "-c", f'exec "$@" {words}', "sh", sys.executable, *command]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)


def refuses(asked):
    if asked.method == "INVITE":
        yield reply(asked, "603 Decline")


@FULL
@pytest.mark.agent
@pytest.mark.parametrize("words", ["2>/dev/full", "2>&-", "<&- >&- 2>&-", "2>&0"])
def test_a_daemon_whose_log_goes_nowhere_goes_on(tmp_path, words):
    fresh_store(tmp_path)
    open_round(tmp_path, "watch", 30, 2)
    path = tmp_path / "watch.yaml"
    environment = os.environ | {"PROBE_STORE": f"sqlite:///{tmp_path}/probe.db"}
    reader, writer = os.pipe()
    os.close(reader)  # who writes there, as by `2>&0`, hears that nobody reads any more
    with FarEnd(refuses) as far:
        path.write_text(SCENARIO.format(port=far.port))
        command = [
            "sh",
            "-c",
            f'exec "$@" {words}',
            "sh",
            sys.executable,
            "-m",
            "probe",
            "run",
            "--http",
            "127.0.0.1:0",
        ]
        process = subprocess.Popen([*command, str(path)], env=environment, stdin=writer)
        os.close(writer)
        try:
            far.wait_for("ACK", 20)
            assert process.poll() is None
        finally:
            process.terminate()
            code = process.wait(15)
    assert 0 == code


@FULL
@pytest.mark.parametrize(
    ("words", "command", "code", "told"),
    [
        (">/dev/full", ("-m", "probe", "explain", "603"), 3, "No space left on device; see to that first.\n"),
        (">/dev/full 2>/dev/full", ("-m", "probe", "explain", "603"), 3, ""),
        (">&-", ("-m", "probe", "explain", "603"), 0, ""),
        ("<&- >&- 2>&-", ("-m", "probe", "explain", "603"), 0, ""),
        ("2>/dev/full", ("-m", "probe", "explain", "nothing"), 2, ""),
        ("2>&-", ("-m", "probe", "explain", "nothing"), 2, ""),
    ],
)
def test_a_command_whose_words_go_nowhere_ends_with_the_code_that_holds(words, command, code, told):
    done = shell(words, *command)
    assert (code, True, "") == (done.returncode, done.stderr.endswith(told), done.stdout), done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_of_our_own_is_no_finding():
    done = shell("", "-c", BROKEN, "explain", "603")
    assert (3, True) == (done.returncode, "Traceback" in done.stderr), done.stderr
