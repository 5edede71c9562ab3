import contextlib
import os
import pty
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from placed import refused

from probe.report.lines import as_text
from probe.report.screen import paint
from probe.report.tables import calls_table
from report.samples import HOSTILE, a_check

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
INK = re.compile(r"\x1b\[(?:[0-9;]*;)?3[0-7]m")


@pytest.fixture(autouse=True)
def a_terminal_of_256_colours(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)


def painted(lines):
    """What a terminal is sent, read while it is written: its buffer is small."""
    ours, theirs = pty.openpty()
    with ThreadPoolExecutor() as pool, os.fdopen(ours, "rb", buffering=0) as screen:
        shown = pool.submit(read_to_the_end, screen)
        with os.fdopen(theirs, "w", encoding="utf-8") as out:
            paint(lines, out)
        return shown.result().decode().replace("\r\n", "\n")


def read_to_the_end(screen):
    """Linux ends a terminal that nobody writes to any more by EIO."""
    shown = b""
    with contextlib.suppress(OSError):
        while piece := screen.read(4_096):
            shown += piece
    return shown


def test_a_terminal_gets_colours_and_the_same_words():
    lines = calls_table(a_check(), width=100)
    shown = painted(lines)
    assert "\x1b[1;31manalytics_blocked" in shown
    assert as_text(lines) == COLOUR.sub("", shown)


def test_no_color_is_honoured(monkeypatch):
    lines = calls_table(a_check(), width=100)
    assert INK.search(painted(lines))
    monkeypatch.setenv("NO_COLOR", "1")
    assert None is INK.search(painted(lines))


def test_markup_and_escapes_of_the_network_are_only_text():
    shown = painted(calls_table([refused(f"603 {HOSTILE}")], width=100))
    assert "[red]" in shown
    assert "\x1b" not in COLOUR.sub("", shown)


def test_a_pipe_needs_no_rich():
    modules = "tables, notices, standings, show, explain, junit, pcap"
    program = f"import sys; from probe.report import {modules}; sys.exit('rich' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode
