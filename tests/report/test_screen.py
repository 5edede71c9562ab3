import os
import pty
import re
import subprocess
import sys

import pytest
from placed import refused

from probe.report.lines import as_text
from probe.report.screen import paint
from probe.report.tables import calls_table
from report.samples import HOSTILE, a_check

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb") as screen, os.fdopen(theirs, "w", encoding="utf-8") as out:
        yield screen, out


def painted(lines, terminal):
    screen, out = terminal
    paint(lines, out)
    out.flush()
    return os.read(screen.fileno(), 65_536).decode().replace("\r\n", "\n")


def test_a_terminal_gets_colours_and_the_same_words(terminal):
    lines = calls_table(a_check(), width=100)
    shown = painted(lines, terminal)
    assert "\x1b[1;31manalytics_blocked" in shown
    assert as_text(lines) == COLOUR.sub("", shown)


def test_no_color_is_honoured(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in painted(calls_table(a_check(), width=100), terminal)


def test_markup_and_escapes_of_the_network_are_only_text(terminal):
    shown = painted(calls_table([refused(f"603 {HOSTILE}")], width=100), terminal)
    assert "[red]" in shown
    assert "\x1b" not in COLOUR.sub("", shown)


def test_a_pipe_needs_no_rich():
    modules = "tables, notices, show, explain, junit, pcap"
    program = f"import sys; from probe.report import {modules}; sys.exit('rich' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode
