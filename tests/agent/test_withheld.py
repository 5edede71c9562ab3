"""Within a call nobody gets our credentials who did not ask for them when it was set up."""

import time
from collections.abc import Iterator

import pytest
from agent.conftest import place, said, trunk
from agent.far_end import FarEnd, answer, reply

from probe.call import Ending
from probe.sip import Request
from probe.withheld import Realms

ACCOUNT = {"username": "account7", "password": "a secret word"}


def asking(realm: str) -> str:
    return f'WWW-Authenticate: Digest realm="{realm}", nonce="n1", algorithm=MD5'


@pytest.mark.parametrize(
    ("at_invite", "at_bye", "known", "answered"),
    [
        ("carrier", "carrier", "*", True),
        ("carrier", "evil", "*", False),
        (None, "evil", "*", False),
        (None, "carrier", "carrier", True),
        ("carrier", "evil", "carrier", False),
    ],
)
def test_who_challenges_our_bye_gets_credentials_only_as_a_realm_that_we_know(
    at_invite: str | None, at_bye: str, known: str, answered: bool
):
    def challenges(asked: Request) -> Iterator[bytes]:
        trusted = asked.header("Authorization") is not None
        if asked.method == "INVITE" and at_invite and not trusted:
            yield reply(asked, "401 Unauthorized", asking(at_invite))
        elif asked.method == "INVITE":
            yield answer(asked, far.port)
        elif asked.method == "BYE":
            # It has credentials for its own realm from the start, where the INVITE had some.
            yield (
                reply(asked, "200 OK")
                if f'realm="{at_bye}"' in (asked.header("Authorization") or "")
                else reply(asked, "401 Unauthorized", asking(at_bye))
            )

    with FarEnd(challenges) as far:
        began = time.monotonic()
        record = place(trunk(far.port, realm=known, **ACCOUNT), hold_ms=100)
        took = time.monotonic() - began
        if answered:
            far.wait_for("BYE", count=2)
        byes = [asked.header("Authorization") or "" for asked in far.requests("BYE")]

    assert Ending.ANSWERED == record.ending
    assert answered == any(f'realm="{at_bye}"' in credentials for credentials in byes), byes
    assert ("BYE", "401 Unauthorized") == tuple(said(record)[-2:]) or answered
    assert took < 4


@pytest.mark.parametrize(
    ("first_line", "header", "realm", "leaves"),
    [
        ("BYE", "Authorization", '"carrier"', True),
        ("BYE", "Authorization", "carrier", True),
        ("BYE", "Authorization", '"evil"', False),
        ("BYE", "Authorization", "evil", False),
        ("BYE", "Proxy-Authorization", '"evil"', False),
        ("BYE", "Authorization", '"carrier", opaque="x", Realm = "evil"', False),
        ("PRACK", "Authorization", r'"e\"vil"', False),
        ("ACK", "Authorization", '"carrier"', True),
        ("INVITE", "Authorization", '"evil"', False),
        ("REGISTER", "Authorization", '"evil"', False),
    ],
)
def test_within_a_call_credentials_leave_for_a_realm_that_got_them_before(
    first_line: str, header: str, realm: str, leaves: bool
):
    realms = Realms()
    assert realms.allow(sent("INVITE", "Authorization", '"carrier"', to="<sip:a@b>"))
    assert leaves == realms.allow(sent(first_line, header, realm, to="<sip:a@b>;tag=1"))


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
def test_whoever_asks_when_a_call_is_set_up_gets_them(method: str):
    realms = Realms()
    assert realms.allow(sent(method, "Proxy-Authorization", '"far"', to="<sip:a@b>"))
    assert {"far"} == realms.known


def test_a_message_without_credentials_leaves():
    assert Realms().allow(b"BYE sip:a@b SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n")
    assert Realms().allow(b"SIP/2.0 403 Authorization: no\r\n\r\n")


def sent(method: str, header: str, realm: str, *, to: str) -> bytes:
    return f'{method} sip:a@b SIP/2.0\r\nTo: {to}\r\n{header}: Digest username="u", realm={realm}\r\n\r\n'.encode()
