"""Scenario files that are right: what is read from them, what stays secret, and that no text breaks the reader."""

import re
import string
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from probe.errors import ScenarioError
from probe.event import Endpoint
from probe.expectation import DISPOSITIONS, Expectation
from probe.scenario.file import load_scenario, read_scenario
from probe.scenario.file_format import scenario_schema
from probe.scenario.scenario import (
    Calendar,
    Caller,
    Destination,
    Hours,
    Limits,
    Maintenance,
    Rate,
    Scenario,
    Schedule,
    Sends,
)
from probe.scenario.trunk_uri import trunk_from_uri
from probe.trunk import IdentityHeader, Srtp, Transport, Trunk

ROOT = Path(__file__).parents[2]
VALID = ROOT / "tests" / "data" / "scenarios" / "valid"
GALLERY = sorted([*VALID.glob("*.yaml"), *(ROOT / "scenarios").glob("*.yaml")])
VARIABLE = re.compile(r"\$\{(\w+)\}")
ENVIRON = {
    "TRUNK_USER": "our-user",
    "TRUNK_PASSWORD": "hunter2",
    "HOOK_TOKEN": "hunter3",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
SMALLEST = (VALID / "smallest.yaml").read_text()


def load(name):
    return load_scenario(VALID / f"{name}.yaml", ENVIRON)


def read(text, environ=ENVIRON):
    return read_scenario(text, "scenarios/x.yaml", environ, lambda _: "number\n+12025550102\n")


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def expect(names=(), none=(), final=None):
    return Expectation(any_of=frozenset(names), none_of=frozenset(none), max_final_ms=final)


def test_the_smallest_file_has_defaults_for_all_the_rest():
    expected = Scenario(
        name="smallest",
        path=str(VALID / "smallest.yaml"),
        trunk=Trunk(name="local", host="127.0.0.1", port=5060),
        callers=(Caller(number="+12025550101"),),
        destinations=(Destination(number="+12025550191", consent="our own test line"),),
        ring_limit_ms=25_000,
        hold_ms=6_000,
        limits=Limits(),
    )
    assert expected == load("smallest")


def test_the_default_limits_are_those_of_the_interface():
    rates = (Rate(count=1, window_s=60), Rate(count=3, window_s=900), Rate(count=5, window_s=3600))
    rates += (Rate(count=10, window_s=86400),)
    expected = Limits(
        per_caller=rates,
        per_destination=rates,
        calls_per_day=500,
        minutes_per_day=120,
        hours=Hours(opens=540, closes=1200),
    )
    assert expected == load("smallest").limits


def test_every_key_of_the_trunk_is_read():
    expected = Trunk(
        name="carrier-a",
        host="2001:db8::10",
        port=5061,
        transport=Transport.TLS,
        transport_given=True,
        username="our-user",
        auth_username="auth-our-user",
        password="hunter2",
        realm="carrier.example",
        register=True,
        outbound_proxy="sip:edge.carrier.example:5060;transport=tcp;lr",
        identity=(IdentityHeader.ASSERTED, IdentityHeader.REMOTE_PARTY),
        from_domain="our.example.com",
        headers=(("X-Account", "4711"), ("X-Key", "hunter2")),
        secret_headers=("X-Key",),
        lines=32,
        calls_per_second=2.5,
        tls_verify=False,
        tls_ca_file=str(VALID / "certificates" / "ca.pem"),
        tls_cert_file="/etc/probe/our.pem",
        tls_key_file="/etc/probe/our.key",
        srtp=Srtp.REQUIRED,
        bind="192.0.2.8",
        public_address="192.0.2.7",
        stun="stun.example.com:3478",
        keep_alive_s=20,
        nameservers=("192.0.2.53", "192.0.2.54:5353", "[2001:db8::53]:53"),
    )
    assert expected == load("every_key").trunk


def test_callers_come_from_the_file_and_from_its_csv_file_in_order():
    expected = (
        Caller(
            number="+12025550101",
            label="Support main line",
            campaign="support",
            lead_source="web form",
            tags=("east", "day"),
        ),
        Caller(number="+12025550102", label="Billing, late", campaign="billing"),
        Caller(number="+12025550103"),
    )
    scenario = load("every_key")
    assert expected == scenario.callers
    assert "+12025550100" in (scenario.control or "")


def test_a_csv_file_may_name_lead_sources_and_tags():
    expected = (
        Caller(number="+12025550101", lead_source="bought list", tags=("west", "night")),
        Caller(number="+12025550102"),
    )
    assert expected == load("callers_with_tags").callers


def test_expectations_are_read_in_each_form_and_for_single_callers():
    first, second, third = load("every_key").destinations
    assert expect(["answered"]) == first.expect
    assert {
        "+12025550102": expect(["analytics_blocked"]),
        "+12025550100": expect(none=["analytics_blocked", "analytics_suspected"]),
    } == first.expect_from
    assert expect(["answered", "user_busy"]) == second.expect
    assert expect(["answered"], none=["user_busy"], final=4000) == third.expect


def test_what_a_far_end_is_known_to_send_is_read():
    reason = 'Q.850;cause=21;text="v=analytics1;email=desk@example.com;id=probe-1";location=TN'
    assert [None, None, Sends(phrase="Network blocked", reason=reason)] == [
        destination.sends for destination in load("every_key").destinations
    ]


def test_the_phrase_of_a_603_plus_need_not_be_written():
    reason = """SIP;cause=603;text="v=analytics1;url=https://example.com/r";location=RLN"""
    (destination,) = read(f"{SMALLEST}    sends:\n      reason: {reason}\n").destinations
    assert Sends(phrase="Network Blocked", reason=reason) == destination.sends


def test_networks_are_named_once_in_the_order_of_the_file():
    expected = ("verizon", "t-mobile")
    assert expected == load("every_key").networks


def test_times_limits_and_schedule_are_read():
    scenario = load("every_key")
    expected = Limits(
        per_caller=(Rate(count=2, window_s=60), Rate(count=7, window_s=7200)),
        per_destination=(Rate(count=1, window_s=30),),
        calls_per_day=50,
        minutes_per_day=12,
        hours=Hours(opens=510, closes=1440),
        weekdays=frozenset(range(5)),
        holidays=frozenset({date(2026, 12, 25), date(2027, 1, 1)}),
        maintenance=(
            Maintenance(starts_at=utc(2026, 11, 22, 6), ends_at=utc(2026, 11, 22, 7)),
            Maintenance(starts_at=utc(2026, 12, 31, 23), ends_at=utc(2027, 1, 1, 1)),
        ),
        spend_per_day=Decimal("2.50"),
        rate_per_minute=Decimal("0.0085"),
    )
    assert expected == scenario.limits
    assert scenario.ring_limit_ms == 30_000
    assert scenario.hold_ms == 1_500
    cron = "*/15,59 10-18/2 1 jan-mar,12 MON-fri"
    assert Schedule(cron=cron, timezone="Europe/Berlin", jitter_s=600, retest_s=120) == scenario.schedule


def test_the_sites_are_read_and_each_has_a_call_of_its_own():
    scenario = load("every_key")
    assert ("east", "west-2") == scenario.sites
    assert len(scenario.callers) * len(scenario.destinations) * 2 == scenario.calls_a_round


def test_rounds_by_the_calendar_are_read():
    calendar = Calendar(since=date(2026, 1, 31), at=570, months=1, days=2)
    assert Schedule(calendar=calendar, timezone="America/New_York") == load("rounds_by_the_calendar").schedule


def test_the_webhook_is_named_by_its_url_as_written():
    expected = Endpoint(
        name="https://hooks.example.com/${HOOK_TOKEN}",
        url="https://hooks.example.com/hunter3",
        secret=ENVIRON["WEBHOOK_SECRET"],
        types=frozenset({"call.blocked", "number.standing_changed"}),
        remind_every_s=12 * 3600,
        private_networks=(ip_network("10.1.2.0/24"), ip_network("fd00::/64")),
    )
    assert expected == load("every_key").endpoint


def test_no_card_is_fetched_unless_the_file_says_by_whose_word():
    rules = load("every_key").card_rules
    assert (VALID / "roots.pem").read_text() == rules.roots
    assert (ip_network("127.0.0.0/8"),) == rules.private_networks
    assert load("smallest").card_rules is None


def test_nobody_is_reminded_who_did_not_ask():
    text = SMALLEST + "webhook: {url: 'https://hooks.example.com/x', secret: '${WEBHOOK_SECRET}'}\n"
    endpoint = read(text).endpoint
    assert endpoint is not None
    assert (None, {"round.completed", "number.standing_changed", "call.blocked"}) == (
        endpoint.remind_every_s,
        endpoint.types,
    )


def test_no_secret_is_seen_in_a_scenario_that_is_printed():
    printed = repr(load("every_key"))
    assert "every_key" in printed
    assert not [secret for secret in ("hunter2", "hunter3", ENVIRON["WEBHOOK_SECRET"]) if secret in printed]


def test_a_trunk_on_loopback_may_have_no_limits():
    scenario = load("without_limits_on_loopback")
    assert scenario.limits is None
    assert Schedule(every_s=7200) == scenario.schedule


def test_barred_destinations_load_as_written_so_that_the_guard_refuses_them():
    expected = ["911", "+18002738255", "tel:112"]
    assert expected == [destination.number for destination in load("barred_destinations").destinations]


def test_text_is_never_turned_into_something_else():
    scenario = load("text_that_yaml_would_turn")
    expected = ["on", "1e3", "09:00", "null", "2026-11-22", "0x10", ".inf"]
    assert expected == [caller.label for caller in scenario.callers]
    assert scenario.trunk.name == "1e3"
    assert scenario.destinations[0].consent == "yes"


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.name)
def test_the_gallery_loads(path):
    # The secret of a webhook suits every other variable, too.
    environ = dict.fromkeys(VARIABLE.findall(path.read_text()), ENVIRON["WEBHOOK_SECRET"])
    assert path.stem == load_scenario(path, environ).name


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.name)
def test_the_gallery_fits_the_schema_when_read_as_text(path):
    jsonschema.validate(yaml.load(path.read_text(), Loader=yaml.BaseLoader), scenario_schema())


UNFIT = ["key_unknown", "trunk_uri_missing", "trunk_password_in_the_file", "expect_misspelt", "limits_other_word"]
UNFIT += ["call_ring_limit_without_unit", "caller_file_and_number", "destination_without_consent", "schedule_empty"]


@pytest.mark.parametrize("name", UNFIT)
def test_the_schema_refuses_what_the_reader_refuses(name):
    text = (VALID.parent / "invalid" / f"{name}.yaml").read_text()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.load(text, Loader=yaml.BaseLoader), scenario_schema())


def test_the_schema_is_one_and_describes_every_key():
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    tables = [schema, *schema["$defs"].values()]
    keys = [key for table in tables for key in table["properties"].values()]
    assert keys
    assert all("description" in key for key in keys)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "none.yaml"
    with pytest.raises(ScenarioError) as raised:
        load_scenario(path, {})
    expected = f"{path} cannot be read (No such file or directory); check its name and rights."
    assert expected == str(raised.value)


def test_a_folder_is_no_scenario(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path, {})


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALLEST.encode())
    assert "bom" in load_scenario(path, {}).name


def test_a_trunk_uri_from_the_command_line_makes_a_trunk():
    expected = Trunk(
        name="adhoc",
        host="sbc.example.com",
        port=5070,
        transport=Transport.TCP,
        transport_given=True,
        username="me",
        password="hunter2",
    )
    uri = "sip:sbc.example.com:5070;transport=tcp"
    assert expected == trunk_from_uri(uri, username="me", password="hunter2")


def test_a_wrong_trunk_uri_from_the_command_line_is_named_without_its_password():
    with pytest.raises(ScenarioError) as raised:
        trunk_from_uri("sip:me:hunter2@sbc.example.com")
    assert str(raised.value).startswith('--trunk-uri: "sip:…@sbc.example.com" holds a user name;')


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--username", {"username": "me\r\nVia: x"}),
        ("--username", {"username": "me\x00"}),
        ("--username", {"username": 'me"'}),
        ("--password-env", {"password": "hunter2\r\nVia: x"}),
    ],
)
def test_nothing_that_ends_a_line_comes_from_the_command_line(option, given):
    with pytest.raises(ScenarioError) as raised:
        trunk_from_uri("sip:sbc.example.com", **given)
    assert str(raised.value).startswith(f"{option}: ")
    assert "hunter2" not in str(raised.value)


WRONG_EVERYWHERE = "hunter2 hunter2\\"
FROM_ENVIRON = {
    "trunk": (
        "name uri username auth_username realm register outbound_proxy identity from_domain lines calls_per_second "
        "tls srtp nat bind nameservers headers"
    ),
    "call": "ring_limit hold",
    "limits": "per_caller calls_per_day hours",
    "schedule": "cron every timezone jitter",
    "webhook": "url secret events",
}


@pytest.mark.parametrize(
    ("table", "key"), [(table, key) for table, keys in FROM_ENVIRON.items() for key in keys.split()]
)
def test_a_message_shows_what_stands_in_the_file_and_never_what_the_environment_holds(table, key):
    tree = yaml.load(SMALLEST, Loader=yaml.BaseLoader)
    tree.setdefault(table, {})[key] = "${VALUE}"
    with pytest.raises(ScenarioError) as raised:
        read(yaml.dump(tree), {"VALUE": WRONG_EVERYWHERE})
    assert f"{table}.{key}" in str(raised.value)
    assert "hunter2" not in str(raised.value)


SIGNS = st.text(alphabet=string.printable + "äß\x00\x1b\x85\u2028\u202e\ud800\ufeff", max_size=40)


def mistakes_in(text):
    """Return the lines of the error, or nothing for a scenario; any other exception fails the test that asks."""
    try:
        scenario = read(text)
    except ScenarioError as error:
        return str(error).split("\n")
    assert isinstance(scenario, Scenario)
    return []


def scenario_or_mistakes(text):
    for line in mistakes_in(text):
        assert line.isprintable()
        assert line.startswith("scenarios/x.yaml:")


@settings(deadline=None)
@given(SIGNS)
@example("a: &a [*a]")
@example("&a [&b [*a, *b], *a]")
@example("? " * 300)
@example("[" * 3000)
@example("{" * 3000)
@example("- " * 3000)
@example("%YAML 9.9\n---\na: b")
@example("%TAG ! tag:x,2000:\n--- !y\na: b")
@example('"\\ud800": "\\x00"')
@example("<<: {a: b}")
@example("\u2028")
def test_any_text_is_a_scenario_or_has_mistakes(text):
    scenario_or_mistakes(text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_damage_to_a_sound_file_gives_a_scenario_or_mistakes(data):
    text = (VALID / "every_key.yaml").read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 30, len(text))))
    scenario_or_mistakes(text[:start] + data.draw(SIGNS) + text[end:])


TREES = st.recursive(
    SIGNS | st.sampled_from(DISPOSITIONS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            SIGNS | st.sampled_from(["number", "expect", "name", "uri", "not", "verify"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = ["trunk", "callers", "control", "destinations", "call", "limits", "schedule", "webhook"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no defect
@given(st.dictionaries(st.sampled_from(KEYS), TREES))
def test_any_tree_under_the_known_keys_is_a_scenario_or_has_mistakes(tree):
    scenario_or_mistakes(yaml.dump(tree, allow_unicode=True))


CONTROL = st.sampled_from([*(chr(code) for code in (*range(32), *range(127, 160))), "\u2028", "\u2029", "\u202e"])
PLACES = ["username", "password", "auth_username", "realm", "from_domain", "outbound_proxy", "bind", "name", "uri"]


@settings(deadline=None)
@given(st.sampled_from(PLACES), SIGNS, CONTROL, SIGNS)
def test_nothing_that_ends_a_line_reaches_a_trunk(key, before, sign, after):
    text = SMALLEST.replace("  name: local\n", "").replace("  uri: sip:127.0.0.1:5060\n", "")
    others = {"name": "local", "uri": "sip:127.0.0.1", "username": "me"} | {key: "${VALUE}"}
    table = "".join(f"  {name}: {value}\n" for name, value in others.items())
    with pytest.raises(ScenarioError) as raised:
        read(text.replace("trunk:\n", f"trunk:\n{table}"), {"VALUE": before + sign + after})
    assert f"trunk.{key} holds a line break or a control character" in str(raised.value)


@settings(deadline=None)
@given(SIGNS, SIGNS)
def test_a_header_that_is_read_is_one_header(name, value):
    tree = yaml.load(SMALLEST, Loader=yaml.BaseLoader)
    tree["trunk"]["headers"] = {name: value}
    try:
        ((read_name, read_value),) = read(yaml.dump(tree)).trunk.headers
    except ScenarioError:
        return
    assert read_value.isprintable()
    assert set(read_name) <= set(string.ascii_letters + string.digits + ".!%*_+`'~-")
