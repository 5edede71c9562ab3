import pytest
from placed import BLOCKED, START, answered, refused, unplaced

from probe.call import Ending
from probe.health import Contacts, observe
from probe.verdict import Disposition


def test_a_call_is_observed_with_all_that_standing_and_signals_are_made_from():
    asked = {
        "id": "call-7",
        "campaign": "support",
        "label": "Support main line",
        "lead_source": "web",
        "tags": ("a", "b"),
        "timezone": "America/New_York",
        "control_of": "call-6",
    }
    seen = observe(refused(*BLOCKED, ms=412, rang_ms=90, **asked))
    assert ("call-7", "+12025550101", "+12025550191") == (seen.call_id, seen.caller, seen.callee)
    assert ("verizon", "carrier-a", START) == (seen.network, seen.trunk, seen.started_at)
    assert (603, 90, 412) == (seen.status, seen.alerting_ms, seen.final_ms)
    assert Disposition.ANALYTICS_BLOCKED is seen.disposition
    assert seen.ended_at > seen.started_at
    taken = set(asked) - {"id"}
    assert {name: asked[name] for name in taken} == {name: getattr(seen, name) for name in taken}


def test_a_notice_gives_its_contacts_as_received():
    assert (
        Contacts(url="https://redress.example.com/r", tel="+12025550142", id="blk-0001", location="RLN")
        == observe(refused(*BLOCKED)).contacts
    )


def test_the_card_of_a_608_is_a_contact():
    line = "Call-Info: <https://block.example.net/complaint-jws>;purpose=jwscard"
    assert "https://block.example.net/complaint-jws" == observe(refused("608 Rejected", line)).contacts.call_info


def test_a_call_without_a_notice_has_no_contacts():
    assert observe(answered()).contacts is None


def test_a_call_that_the_guard_refused_says_nothing():
    assert observe(unplaced(Ending.GUARDED, "on no list")) is None


@pytest.mark.parametrize("ending", [Ending.AGENT_FAILED, Ending.NO_RESPONSE, Ending.LOST, Ending.STOPPED])
def test_a_call_of_which_nothing_was_heard_is_observed_without_a_status(ending):
    seen = observe(unplaced(ending, "nothing"))
    assert (None, None, None, None) == (seen.status, seen.alerting_ms, seen.final_ms, seen.contacts)


def test_every_field_of_an_observation_is_filled_where_the_call_has_it():
    whole = {"label": "l", "campaign": "c", "lead_source": "w", "tags": ("t",), "timezone": "UTC", "control_of": "x"}
    seen = observe(refused(*BLOCKED, rang_ms=90, **whole))
    assert [] == [name for name, value in seen._asdict().items() if value in (None, ())]
