"""`probe report` as a user meets it: one file, whole or not at all."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from cli.reputed import BAD, GOOD, NEW, fill
from placed import request

from probe.scenario.guard import Refusal
from probe.scenario.round import RoundState
from probe.store import open_store

SCENARIO = """
trunk: {name: carrier-a, uri: "sip:sbc.example.com"}
callers:
  - {number: +12025550101, label: Support main line}
  - {number: +12025550104, label: Never used}
destinations:
  - {number: +12025550191, network: verizon, consent: ours}
  - {number: +12025550193, network: t-mobile, consent: ours}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    file = tmp_path_factory.mktemp("template") / "probe.db"
    fill(f"sqlite:///{file}")
    return file


@pytest.fixture
def filled(probe, template, tmp_path):
    shutil.copy(template, tmp_path / "probe.db")
    return probe


def test_the_page_is_written_and_named_on_stderr(filled, tmp_path):
    said = filled("report", "-o", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (0, "") == (said.code, said.out)
    assert f"wrote {tmp_path / 'page.html'} ({len(text.encode()) / 1000:.0f} kB)\n" == said.err
    assert "3 caller IDs were tested on 2 networks with 49 calls, 22 Nov 2026." in text
    assert all(number in text for number in (BAD, GOOD, NEW))
    assert 1 == text.count("<article")
    assert "<svg " in text
    assert ["page.html", "probe.db"] == sorted(file.name for file in tmp_path.iterdir() if "db-" not in file.name)


def test_a_page_that_is_there_is_replaced(filled, tmp_path):
    place = tmp_path / "page.html"
    place.write_text("old " * 1_000_000)
    assert 0 == filled("report", "-o", place).code
    assert "old old" not in place.read_text(encoding="utf-8")


def test_a_pipe_takes_the_page_and_stays_a_pipe(filled, tmp_path):
    """A device that is replaced by a file would harm the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as other:
        page = other.submit(pipe.read_text, encoding="utf-8")
        assert 0 == filled("report", "-o", pipe).code
        assert page.result(timeout=30).startswith("<!doctype html>")
    assert pipe.is_fifo()


def test_a_scenario_tells_what_was_never_called_and_what_a_number_is_called(filled, tmp_path):
    (tmp_path / "daily.yaml").write_text(SCENARIO)
    said = filled("report", "-o", tmp_path / "page.html", tmp_path / "daily.yaml")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 0 == said.code, said.err
    assert "Support main line" in text
    assert "3 pairs of <bdi>daily</bdi>, 2 caller IDs" in text
    assert "<bdi>+12025550193 (t-mobile)</bdi>" in text


def test_what_was_refused_and_what_was_missed_stands_on_the_page(filled, tmp_path):
    store, now = open_store(filled.environment["PROBE_STORE"]), datetime.now(UTC)
    store.refuse_all([Refusal(request=request(id="r", plan_key="r"), rule="per_caller", why="it is full")], now)
    store.record_round("round-1", "daily", now, RoundState.MISSED, "the daemon was down")
    store.close()
    assert 0 == filled("report", "-o", tmp_path / "page.html").code
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "the caller ID has had its calls" in text
    assert "it is full" in text
    assert "the daemon was down" in text


def test_without_calls_the_page_says_so(probe, tmp_path):
    assert 0 == probe("report", "-o", tmp_path / "page.html").code
    assert "No call has been judged yet" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_the_users_mistake(probe, tmp_path):
    said = probe("report", "-o", tmp_path / "nowhere" / "page.html")
    assert (2, "") == (said.code, said.out)
    assert said.err.startswith("probe: -o: ")
    assert 2 == probe("report", "-o", tmp_path).code
