"""`probe standing` as a user meets it."""

import re
import shutil

import jsonschema
import pytest
from cli.reputed import BAD, GOOD, NEW, fill

from probe.documents import document_schemas


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    file = tmp_path_factory.mktemp("template") / "probe.db"
    fill(f"sqlite:///{file}")
    return file


@pytest.fixture
def filled(probe, template, tmp_path):
    shutil.copy(template, tmp_path / "probe.db")
    return probe


def rows(said):
    return [re.split(r"  +", row) for row in said.out.rstrip("\n").split("\n")]


def test_the_worst_stands_first_and_its_networks_below_it_where_they_differ(filled):
    said = filled("standing")
    table = rows(said)
    assert 0 == said.code
    assert ["caller ID", "standing", "since (UTC)", "blocked"] == table[0][:4]
    assert [BAD, "blocked", "2026-11-22 10:00", "12 of 24", "50 %"] == table[1][:5]
    assert ["", "verizon", "blocked", "2026-11-22 10:00", "12 of 12", "100 %", "76-100 %", "0"] == table[2][:8]
    assert ["", "att", "clean"] == table[3][:3]
    assert [GOOD, "clean"] == table[4][:2]
    assert [NEW, "unknown"] == table[5][:2]
    assert 6 == len(table)
    assert "Support, care" == table[1][-1]


def test_one_number_comes_with_notices_steps_and_redress(filled):
    said = filled("standing", "+1 (202) 555-0101")
    assert 0 == said.code
    assert said.out.startswith("Blocked on verizon since 22 Nov 2026, 10:00 UTC. Of 24 judged calls 12 were blocked")
    for words in ("What to do next", "Who says so", "https://redress.example.com/r", "Redress", "not asked for yet"):
        assert words in said.out
    assert GOOD not in said.out


def test_json_has_an_object_a_line_the_whole_after_the_networks(filled):
    said = filled("standing", "--json")
    found = [(one["caller"], one["network"], one["standing"]) for one in said.lines]
    assert [(BAD, "att", "clean"), (BAD, "verizon", "blocked"), (BAD, None, "blocked")] == found[:3]
    assert "" == said.err
    for one in said.lines:
        jsonschema.validate(one, document_schemas()["standing"])
    only = filled("standing", BAD, "--json")
    assert said.lines[:3] == only.lines


def test_a_number_that_placed_no_call_is_the_users_mistake(filled):
    said = filled("standing", "+12025550177")
    assert (2, "") == (said.code, said.out)
    assert (
        "probe: '+12025550177' has placed no call; `probe standing` alone lists the caller IDs that have.\n" == said.err
    )
    assert 2 == filled("standing", "\x1b[2J").code


def test_a_rebuild_gives_the_same_and_tells_how_far_it_is(filled):
    before = filled("standing", "--json")
    after = filled("standing", "--rebuild", "--json")
    assert 0 == after.code
    assert before.out == after.out
    assert re.search(r"49 of 49", after.err)


def test_an_empty_store_says_what_to_do(probe):
    said = probe("standing")
    assert (0, True) == (said.code, said.out.startswith("No calls yet"))
    in_json = probe("standing", "--json")
    assert (0, "") == (in_json.code, in_json.out)
    assert "No calls yet" in in_json.err
