"""`probe pause` and `probe resume`: what is paused, in whatever form its number is written."""

from datetime import UTC, datetime

import pytest
from placed import request

from probe.scenario.guard import Refusal
from probe.scenario.history import PauseKind
from probe.store import open_store

NUMBER = "+12025550101"


@pytest.fixture
def pauses(probe):
    def read():
        store = open_store(probe.environment["PROBE_STORE"])
        found = [(one.kind, one.name, one.why) for one in store.pauses()]
        store.close()
        return found

    return read


def test_a_number_is_paused_until_it_is_resumed(probe, pauses):
    said = probe("pause", "+1 (202) 555-0101", "--why", "it is being ported")
    assert (0, f"{NUMBER} is paused.\n") == (said.code, said.out)
    assert [(PauseKind.NUMBER, NUMBER, "it is being ported")] == pauses()
    assert f"{NUMBER} was paused before.\n" == probe("pause", NUMBER).out
    assert f"{NUMBER} goes on.\n" == probe("resume", NUMBER).out
    assert [] == pauses()
    assert f"{NUMBER} was not paused.\n" == probe("resume", NUMBER).out


def test_a_trunk_is_paused_by_its_name(probe, pauses):
    said = probe("pause", "carrier-a", "--trunk", "--json")
    assert {"kind": "trunk", "name": "carrier-a", "changed": True} == said.json
    assert [(PauseKind.TRUNK, "carrier-a", "by hand")] == pauses()
    assert "trunk  carrier-a  by hand" in probe("status").out


def test_what_is_no_number_is_one_sentence(probe, pauses):
    said = probe("pause", "carrier-a")
    assert 2 == said.code
    words = "'carrier-a' is not a phone number; write it as +12025550101, or say --trunk."
    assert f"probe: {words}\n" == said.err
    assert [] == pauses()


def test_status_of_an_empty_store(probe):
    document = probe("status", "--json").json
    assert (None, [], [], []) == tuple(document[key] for key in ("daemon", "paused", "rounds", "refused"))
    assert "none runs on this store" in probe("status").out


def test_status_counts_refusals_by_their_rule(probe):
    store = open_store(probe.environment["PROBE_STORE"])
    for number in range(3):
        asked = request(id=f"call-{number}", plan_key=f"key-{number}")
        store.refuse_all([Refusal(request=asked, rule="per_caller", why=f"reason {number}")], datetime.now(UTC))
    store.close()
    [refused] = probe("status", "--json").json["refused"]
    assert ("per_caller", 3) == (refused["rule"], refused["calls"])
    assert "reason 2" == refused["latest"]
