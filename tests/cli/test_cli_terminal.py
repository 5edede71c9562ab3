"""What a carrier says reaches no terminal but as text: every command, run on a terminal, after a carrier that tries."""

import ast
import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent.far_end import FarEnd, reply

from probe.cli import log, outside

CLI = Path(outside.__file__).parent
EVIL = "Net\x1b[2J\x1b]8;;https://evil.example\x07[/red][link=https://evil.example]\x9b5m\u202eW"
REASON = (
    'Reason: SIP;cause=603;text="v=analytics1;url=javascript:alert(1)//\x1b[2J;tel=+1900\x9b555;'
    'email=a@b\x1b]0;title\x07;id=\u202e=1+1";location=\x1b[2JRLN'
)
# What rich itself writes: colours, and for the bar of a check the cursor, one line up, clear to the end.
OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|1A|2K)")
FILE = """
trunk: {{name: far, uri: "sip:127.0.0.1:{port}", register: {register}, username: me, password: "${{HOOK_SECRET}}"}}
callers: [{{number: +12025550101}}, {{number: +12025550102}}]
destinations: [{{number: +12025550191, network: verizon, consent: ours, expect: answered}}]
call: {{ring_limit: 5s, hold: 1s}}
limits: none
"""
WEBHOOK = 'webhook: {url: "http://127.0.0.1:9/", secret: "${HOOK_SECRET}", events: [round.completed]}\n'


def carrier(asked):
    """Says in each response what could act on a terminal; it knows no customer."""
    if asked.method == "REGISTER":
        yield reply(asked, f"403 {EVIL}")
    elif asked.method == "INVITE":
        yield reply(asked, f"183 {EVIL}")
        yield reply(asked, f"603 {EVIL}", REASON, f"X-Twilio-Error: \x1b[2J{EVIL}", f"Warning: 399 x {EVIL}")
    elif asked.method == "OPTIONS":
        yield reply(asked, f"200 {EVIL}", f"Server: {EVIL}", f"User-Agent: {EVIL}")


@dataclass(frozen=True)
class Terminal:
    """Runs commands on a terminal of 100 columns, or, for what is asked for as JSON, in a pipe."""

    folder: Path

    def shows(self, *arguments, columns=100):
        environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "CI"}}
        environment |= {
            "PROBE_STORE": f"sqlite:///{self.folder / 'probe.db'}",
            "HOOK_SECRET": "whsec_" + "A" * 44,
            "TERM": "xterm-256color",
            "COLUMNS": str(columns),
        }
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "probe", *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        shown = b""
        with os.fdopen(ours, "rb", buffering=0) as screen, contextlib.suppress(OSError):  # EIO: nobody writes any more
            while piece := screen.read(65_536):
                shown += piece
        assert process.wait(10) in {0, 1, 3}, shown
        return shown.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    return Terminal(tmp_path_factory.mktemp("terminal"))


@pytest.fixture(scope="module")
def far():
    with FarEnd(carrier) as far_end:
        yield far_end


@pytest.fixture(scope="module")
def scenario(terminal, far):
    path = terminal.folder / "check.yaml"
    path.write_text(FILE.format(port=far.port, register="false") + WEBHOOK)
    (terminal.folder / "plain.yaml").write_text(FILE.format(port=far.port, register="false"))
    (terminal.folder / "register.yaml").write_text(FILE.format(port=far.port, register="true"))
    return path


@pytest.fixture(scope="module")
def checked(terminal, scenario):
    """What `check` shows, the first command to meet the carrier; the others tell of these calls, too."""
    return terminal.shows("check", scenario)


def is_only_shown(text):
    """No character of the text acts, but those of our own colours and of the bar."""
    left = OURS.sub("", text).replace("\n", "").replace("\r", "")
    acts = {ascii(one) for one in left if unicodedata.category(one).startswith("C") or one in "\u2028\u2029"}
    assert set() == acts, text
    assert "Traceback" not in text


def test_the_bar_and_the_tables_of_a_check_take_no_markup_and_no_escape(checked):
    is_only_shown(checked)
    assert r"\x1b[2J" in checked
    assert "[/red][link=" in checked


def test_every_other_command_shows_what_the_carrier_said_as_text(checked, terminal, scenario, far):
    assert checked
    listed = terminal.shows("calls", "--json")
    is_only_shown(listed)
    first, *_ = listed.splitlines()
    message = terminal.folder / "final.sip"
    message.write_bytes(reply(far.requests("INVITE")[0], f"603 {EVIL}", REASON))
    register, plain = terminal.folder / "register.yaml", terminal.folder / "plain.yaml"
    commands = {
        ("calls",): True,
        ("calls", "--csv"): True,
        ("show", json.loads(first)["id"]): True,
        ("standing",): False,
        ("standing", "+12025550101"): True,
        ("explain", message): True,
        ("status", scenario): False,
        ("webhook", "list"): False,
        ("doctor", register): True,
        ("call", "+12025550191", "--from", "+12025550101", "--scenario", plain): True,
        ("call", "+12025550191", "--from", "+12025550102", "--scenario", register): True,
        ("redress", "+12025550101", "-o", terminal.folder / "desk"): False,
    }
    with ThreadPoolExecutor(4) as pool:
        shown = list(pool.map(lambda command: terminal.shows(*command), commands))
    for (command, repeats), text in zip(commands.items(), shown, strict=True):
        is_only_shown(text)
        if repeats:  # what was said is there to read
            assert re.search(r"x1b\[2J|u001b\[2J", text), (command, text)


def test_json_says_the_same_and_has_nothing_that_acts(capsys):
    value = {"a\x9b": ["\x1b[2J", "\u202e\u2028\x7f\U000e0041", "é 着信 \ud800"]}
    outside.print_json(value)
    said = capsys.readouterr().out.removesuffix("\n")
    assert said.isprintable()
    assert value == json.loads(said)


@pytest.mark.parametrize("tell", [outside.say, outside.tell])
def test_words_are_lines_of_plain_text(tell, capsys):
    tell("one\x1b[2J\ntwo\x9b\r")
    said = capsys.readouterr()
    assert "one\\x1b[2J\ntwo\\x9b\\r\n" == said.out + said.err


def test_the_log_of_the_daemon_on_a_terminal_is_plain_text():
    program = (
        "from probe.cli.log import start_log\n"
        "start_log(full_numbers=False).warning('failed', why='a\\x1b[2Jb', from_='\\x9b\\u202e', other=['\\x1b[2J'])"
    )
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", program], stderr=theirs, check=True, timeout=20)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as screen:
        shown = screen.read(65_536).decode().replace("\r\n", "\n")
    is_only_shown(shown)
    assert r"a\x1b[2Jb" in shown


def test_the_log_of_the_daemon_in_a_pipe_is_json():
    program = "from probe.cli.log import start_log\nstart_log(full_numbers=False).info('x', why='\\x1b[2J\\x9b\\u202e')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=20)
    assert done.stderr.isascii()
    assert "\x1b[2J\x9b\u202e" == json.loads(done.stderr)["why"]
    assert log.shortened("+12025550101") == "...0101"


def test_only_one_file_of_the_commands_prints():
    """So nothing can be printed that did not go through it; a table and CSV are made of plain texts before."""
    printing = {
        (file.name, ast.unparse(node.func))
        for file in CLI.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}
    }
    made_before = {("calls.py", "sys.stdout.write"), ("check.py", "sys.stderr.write"), ("log.py", "print")}
    assert made_before == {(name, how) for name, how in printing if name != "outside.py"}
