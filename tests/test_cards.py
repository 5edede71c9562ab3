"""The card of a 608 from its address to the notice: real servers, real signatures, hostile ones among them."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from daemon_process import Daemon
from placed import refused
from signed_cards import card, certify, serving, signed, web_holder

from probe.call import Card, CardState
from probe.cards import Cards
from probe.documents import call_document
from probe.errors import ScenarioError
from probe.judged import judge_call
from probe.report.lines import as_text
from probe.report.show import outcome
from probe.rounds import names_card
from probe.scenario.scenario import CardRules
from probe.store import open_store

TODAY = datetime.now(UTC)
WEB_ROOT = certify("web root", ca=True, at=TODAY)
ROOT = certify("card root", ca=True, at=TODAY)
SIGNER = certify("signer", ROOT, at=TODAY)
HERE = (ip_network("127.0.0.0/8"),)


def now():
    return datetime.now(UTC)


@pytest.fixture
def web(tmp_path, monkeypatch):
    """An https server with the signer's certificate at /key.pem, whose own authority this process trusts."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(WEB_ROOT.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with serving(web_holder(WEB_ROOT, "localhost", "127.0.0.1"), tmp_path) as web:
        web.pages["/key.pem"] = SIGNER.pem
        yield web


def at(web, path):
    return f"https://127.0.0.1:{web.port}{path}"


def fresh(web, signer=SIGNER, x5u=None, **header):
    """A card signed just now."""
    return card(signer, x5u or at(web, "/key.pem"), at=header.pop("at", now()), **header)


def fetched(uri, networks=HERE):
    return asyncio.run(Cards(CardRules(roots=ROOT.pem.decode(), private_networks=networks), now).fetch(uri))


def found(web, networks=HERE):
    came = fetched(at(web, "/jws"), networks)
    return came.state, came.why


def test_a_card_that_was_signed_just_now_is_verified_and_kept_as_it_came(web):
    web.pages["/jws"] = text = fresh(web)
    came = fetched(at(web, "/jws"))
    assert (CardState.VERIFIED, None) == (came.state, came.why)
    assert (at(web, "/jws"), text.decode(), SIGNER.pem.decode()) == (came.uri, came.jws, came.certificates)
    assert ["/jws", "/key.pem"] == web.paths


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"alg": "none"}, "the card is not signed with ES256"),
        ({"typ": "JWT"}, "the type of the card is not vcard+json"),
        ({"at": TODAY - timedelta(minutes=5)}, "the card was signed more than 60 s ago"),
        ({"at": TODAY + timedelta(days=1)}, "the card was signed more than 60 s in the future"),
    ],
)
def test_for_a_card_with_a_fault_of_its_own_no_certificate_is_fetched(web, made, why):
    web.pages["/jws"] = fresh(web, **made)
    assert (CardState.REFUSED, why) == found(web)
    assert ["/jws"] == web.paths


def test_a_card_of_a_signer_whom_no_root_of_the_file_names_is_refused(web):
    stranger = certify("stranger", certify("card root", ca=True, at=TODAY), at=TODAY)
    web.pages |= {"/jws": fresh(web, stranger), "/key.pem": stranger.pem}
    state, why = found(web)
    assert CardState.REFUSED is state
    assert why.startswith("the certificate of its signer does not lead to a root that the file names")


def test_the_web_server_has_authorities_of_its_own_that_vouch_for_no_card(web):
    signer = certify("signer", WEB_ROOT, at=TODAY)
    web.pages |= {"/jws": fresh(web, signer), "/key.pem": signer.pem}
    assert CardState.REFUSED is found(web)[0]


NO_CERTIFICATE = "the certificate of its signer was not fetched: "


@pytest.mark.parametrize(
    ("x5u", "why"),
    [
        ("http://127.0.0.1:{port}/key.pem", "it is no https address"),
        ("http://certs.example.net/key.pem", "it is no https address"),
        ("file:///etc/ssl/cert.pem", "it is no https address"),
        ("javascript:alert(1)", "it is no https address"),
        ("https://169.254.169.254/latest/meta-data", "it leads to 169.254.169.254, which is no public address"),
        ("https://10.0.0.1/key.pem", "it leads to 10.0.0.1, which is no public address"),
        ("https://[::ffff:10.0.0.1]/key.pem", "it leads to ::ffff:10.0.0.1, which is no public address"),
        ("https://127.0.0.1:{port}/moved", "it answered 302, a redirect, which is never followed"),
        ("https://127.0.0.1:{port}/bomb", "the answer is compressed, which was not asked for"),
        ("https://127.0.0.1:{port}/large", "the answer is larger than 64 KiB"),
    ],
)
def test_a_certificate_is_fetched_as_carefully_as_the_card(web, x5u, why):
    web.pages |= {
        "/jws": fresh(web, x5u=x5u.format(port=web.port)),
        "/moved": (302, {"location": at(web, "/key.pem")}, b""),
        "/bomb": (200, {"content-encoding": "gzip"}, gzip.compress(SIGNER.pem)),
        "/large": SIGNER.pem + b"\n" * 70_000,
    }
    why = why.replace("::ffff:10.0.0.1", "::ffff:a00:1") if sys.version_info < (3, 13) else why
    assert (CardState.REFUSED, NO_CERTIFICATE + why) == found(web)
    assert "/key.pem" not in web.paths


def test_a_certificate_that_is_not_there_leaves_the_card_unverified(web):
    web.pages["/jws"] = fresh(web, x5u=at(web, "/nothing.pem"))
    assert (CardState.UNVERIFIED, NO_CERTIFICATE + "it answered 404") == found(web)


@pytest.mark.parametrize(
    ("page", "state", "why"),
    [
        (
            (302, {"location": "/elsewhere"}, b""),
            CardState.REFUSED,
            "it answered 302, a redirect, which is never followed",
        ),
        (b"x" * 70_000, CardState.REFUSED, "the answer is larger than 64 KiB"),
        ((500, {}, b""), CardState.UNVERIFIED, "it answered 500"),
        (
            (200, {"content-encoding": "gzip"}, gzip.compress(b"\0" * 40_000_000)),
            CardState.REFUSED,
            "the answer is compressed, which was not asked for",
        ),
    ],
    ids=["moved", "large", "broken", "bomb"],
)
def test_what_stands_in_the_place_of_a_card_is_not_believed(web, page, state, why):
    web.pages["/jws"] = page
    assert (state, f"the card was not fetched: {why}") == found(web)


def test_a_server_that_drips_leaves_the_card_unverified(web, monkeypatch):
    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while not web.gone.wait(0.02):
            handler.wfile.write(b"x")

    monkeypatch.setattr("probe.cards._WITHIN_S", 0.4)
    web.pages["/jws"] = drip
    assert (CardState.UNVERIFIED, "the card was not fetched: no answer within 0.4 s") == found(web)


@pytest.mark.parametrize(
    "uri",
    [
        "https://127.0.0.1:{port}/jws",
        "https://localhost:{port}/jws",
        "https://2130706433:{port}/jws",
        "http://block.example.net/jws",
        "https://169.254.169.254/latest/meta-data",
        "https://user:word@block.example.net/jws",
        "https://93.184.216.34/jws",
        "javascript:alert(1)",
        "data:application/jose,x",
        "",
    ],
)
def test_without_networks_of_the_file_only_public_names_are_asked(web, uri):
    came = fetched(uri.format(port=web.port), ())
    why = "the card was not fetched: its address is no safe public https address"
    assert (CardState.REFUSED, why) == (came.state, came.why)
    assert [] == web.asked


def test_more_cards_at_once_than_a_few_dozen_are_not_fetched(web, monkeypatch):
    monkeypatch.setattr("probe.cards._MOST_WAITING", 3)
    web.pages["/jws"] = fresh(web)

    async def many():
        cards = Cards(CardRules(roots=ROOT.pem.decode(), private_networks=HERE), now)
        return await asyncio.gather(*(cards.fetch(at(web, "/jws")) for _ in range(5)))

    states = [came.state for came in asyncio.run(many())]
    assert [CardState.VERIFIED] * 3 + [CardState.UNVERIFIED] * 2 == states


@pytest.mark.parametrize("roots", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_roots_that_cannot_be_read_are_the_users_mistake(roots):
    with pytest.raises(ScenarioError, match=r"^jcard\.roots holds a certificate that cannot be read"):
        Cards(CardRules(roots=roots), now)


# From here on: the call, its notice, and the commands.

NAMED = "Call-Info: <https://block.example.net/jws>;purpose=jwscard"


def notice_of(*headers):
    return call_document(refused("608 Rejected", *headers)).plain()["notice"]


@pytest.mark.parametrize(
    ("headers", "state", "why"),
    [
        ((NAMED,), "unverified", "the card was not fetched"),
        ((NAMED, NAMED), "unverified", "the card was not fetched"),
        (
            ("Call-Info: <javascript:alert(1)>;purpose=jwscard",),
            "refused",
            "the address of the card is no safe public https address",
        ),
        (
            (NAMED, "Call-Info: <https://other.example.net/jws>;purpose=jwscard"),
            "refused",
            "the response names two cards, and does not say which of them speaks for it",
        ),
        (
            ("Call-Info: <https://a.example.net/j>;purpose=jwscard, <https://b.example.net/j>;purpose=jwscard",),
            "refused",
            "the response names two cards, and does not say which of them speaks for it",
        ),
    ],
)
def test_a_card_that_nobody_fetched_stands_in_the_notice_with_the_reason(headers, state, why):
    notice = notice_of(*headers)
    assert (state, why, None) == (notice["card"]["state"], notice["card"]["why"], notice["card"]["fn"])


def test_a_608_that_names_no_card_has_none():
    assert notice_of()["card"] is None


class Never:
    async def fetch(self, uri):
        raise AssertionError(uri)


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\nVerdict: fine\u202e <script>"


@pytest.mark.parametrize("state", CardState)
def test_what_a_card_says_reaches_the_terminal_as_plain_text(state):
    rows = [["fn", {}, "text", HOSTILE], ["url", {}, "uri", f"javascript:{HOSTILE}"], ["adr", {}, "text", [HOSTILE]]]
    head = {"alg": "ES256", "typ": "vcard+json", "x5u": "https://certs.example.net/key.pem"}
    text = signed(SIGNER, head, {"iat": 1, "jcard": ["vcard", rows]}).decode()
    came = Card(uri="https://block.example.net/jws", at=TODAY, state=state, why=HOSTILE, jws=text)
    judged = judge_call(replace(refused("608 Rejected", NAMED).record, card=came))
    shown = as_text(outcome(judged, width=80))
    assert not set("\x1b\x07\r\u202e") & set(shown)
    assert "\nVerdict" not in shown
    assert (state is CardState.VERIFIED) == ("bad_redress_url" in shown)


def test_of_two_cards_none_is_asked_for():
    two = refused("608 Rejected", NAMED, "Call-Info: <https://other.example.net/jws>;purpose=jwscard")
    assert not names_card(two, Never())
    assert names_card(refused("608 Rejected", NAMED), Never())
    assert not names_card(refused("608 Rejected", NAMED), None)
    assert not names_card(refused("603 Decline"), Never())


def test_what_came_of_a_card_is_read_from_the_store_as_it_was_written(web, url):
    web.pages["/jws"] = fresh(web)
    came = fetched(at(web, "/jws"))
    judged = refused("608 Rejected", NAMED)
    call_id = judged.record.request.id
    with_nul = replace(came, why="\x00\x1b[2J", jws="\x00\xff" + (came.jws or ""))
    store = open_store(url)
    store.begin(judged.record.request, judged.record.started_at)
    store.finish(judged)
    for kept in (with_nul, came):
        store.keep_card(call_id, kept)
        assert kept == store.call(call_id).card
    again = judge_call(store.call(call_id))
    assert (CardState.VERIFIED, "Robocall Adjudication") == (again.notice.card.state, again.notice.card.fn)
    store.close()


# Python runs this at its start in each process of the simulator: its 608s name the cards of the test.
CUSTOMIZED = """
import json, os
from probe.sim.numbers import NUMBERS, Say, Script
for number, cards in json.loads(os.environ["CARDS"]).items():
    headers = tuple(("Call-Info", f"<{uri}>;purpose=jwscard") for uri in cards)
    steps = (Say(status=608, phrase="Rejected", headers=headers),)
    NUMBERS[number] = Script(does="608", reads_as="analytics_blocked", steps=steps)
"""
SCENARIO = """
trunk: {{name: sim, uri: "sip:{address}", calls_per_second: 20}}
callers: [{{number: +12025550111}}]
destinations: [{destinations}]
limits: none
schedule: {{every: 1h}}
jcard: {{roots: roots.pem, private_networks: [127.0.0.0/8]}}
"""


@pytest.fixture
def blocker(web, tmp_path):
    """The simulator, which blocks +12025550152 with the card at /jws, and a scenario that lets cards be fetched."""
    cards = {
        "+12025550152": [at(web, "/jws")],
        "+12025550151": [at(web, "/jws"), at(web, "/other")],
        "+12025550150": ["javascript:alert(1)"],
    }
    (tmp_path / "roots.pem").write_bytes(ROOT.pem)
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(CUSTOMIZED)
    customized = os.environ | {"PYTHONPATH": str(tmp_path / "start"), "CARDS": json.dumps(cards)}
    command = [sys.executable, "-m", "probe", "sim", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=customized) as process:
        address = json.loads(process.stdout.readline())["listening"]

        def write(*numbers, without=None):
            rows = ", ".join(f"{{number: {number}, consent: the simulator}}" for number in numbers)
            text = SCENARIO.format(address=address, destinations=rows)
            if without:
                text = "\n".join(line for line in text.splitlines() if without not in line)
            path = tmp_path / "cards.yaml"
            path.write_text(text)
            return path

        yield write
        process.terminate()


@pytest.fixture
def run(tmp_path):
    def run_probe(*arguments):
        store = {"PROBE_STORE": f"sqlite:///{tmp_path}/probe.db"}
        command = [sys.executable, "-m", "probe", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | store, timeout=60, check=False)

    return run_probe


def card_of(line):
    return json.loads(line)["notice"]["card"]


@pytest.mark.agent
def test_call_fetches_the_card_and_show_still_knows_it(web, blocker, run):
    web.pages["/jws"] = fresh(web)
    said = run("call", "+12025550152", "--from", "+12025550111", "--scenario", blocker("+12025550152"), "--json")
    assert 0 == said.returncode, said.stderr
    seen = card_of(said.stdout)
    assert ("verified", None, "Robocall Adjudication") == (seen["state"], seen["why"], seen["fn"])
    assert (["tel:+1-202-555-0142"], ["https://block.example.net/redress"]) == (seen["tel"], seen["url"])
    shown = run("show", json.loads(said.stdout)["id"]).stdout
    assert "verified" in shown
    assert "Robocall Adjudication" in shown
    assert seen == card_of(run("calls", "--json").stdout)


@pytest.mark.agent
def test_check_fetches_each_card_and_none_where_the_file_does_not_say_so(web, blocker, run):
    web.pages["/jws"] = fresh(web)
    numbers = ("+12025550150", "+12025550151", "+12025550152")
    said = run("check", blocker(*numbers), "--json")
    cards = {json.loads(line)["callee"]: card_of(line) for line in said.stdout.splitlines()}
    assert {
        "+12025550150": ("refused", "the card was not fetched: it is no https address"),
        "+12025550151": (
            "refused",
            "the response names two cards, and does not say which of them speaks for it",
        ),
        "+12025550152": ("verified", None),
    } == {number: (one["state"], one["why"]) for number, one in cards.items()}
    assert ["/jws", "/key.pem"] == web.paths
    said = run("check", blocker("+12025550152", without="jcard"), "--json")
    assert "the address of the card is no safe public https address" == card_of(said.stdout)["why"]
    assert ["/jws", "/key.pem"] == web.paths


@pytest.mark.agent
def test_the_daemon_fetches_the_card_when_the_call_is_over(web, blocker, tmp_path):
    web.pages["/jws"] = fresh(web)
    path = blocker("+12025550152")
    path.write_text(path.read_text().replace("every: 1h", "every: 4s"))
    with Daemon(tmp_path, path) as daemon:
        deadline = time.monotonic() + 30
        while not (kept := stored_cards(daemon.store_url)) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert CardState.VERIFIED in {one.state for one in kept}


def stored_cards(url):
    store = open_store(url)
    try:
        return [record.card for record in store.calls() if record.card]
    finally:
        store.close()


def test_explain_fetches_nothing(web, run, tmp_path):
    message = tmp_path / "608.sip"
    message.write_text(f"SIP/2.0 608 Rejected\r\nCall-Info: <{at(web, '/jws')}>;purpose=jwscard\r\n\r\n")
    seen = card_of(run("explain", message, "--json").stdout)
    assert ("refused", "the address of the card is no safe public https address") == (seen["state"], seen["why"])
    message.write_text(f"SIP/2.0 608 Rejected\r\n{NAMED}\r\n\r\n")
    seen = card_of(run("explain", message, "--json").stdout)
    assert ("unverified", "the card was not fetched") == (seen["state"], seen["why"])
    assert [] == web.asked


def test_a_file_with_bad_roots_is_named_before_anybody_is_called(blocker, run, tmp_path):
    path = blocker("+12025550152")
    (tmp_path / "roots.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    said = run("validate", path)
    assert 2 == said.returncode
    assert f"{path}: jcard.roots holds a certificate that cannot be read; write each as PEM." in said.stderr
