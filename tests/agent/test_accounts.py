"""Digest, registration and keep-alive, against far ends that check them."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator

import pytest
from agent.conftest import Sipp, agent_on, place, request, said, trunk, within
from agent.far_end import FarEnd, reply

from probe.agent import pool
from probe.agent.preflight import inspect
from probe.call import CallRecord, Direction, Ending
from probe.sip import Request

ACCOUNT = {"username": "account7", "auth_username": "auth7", "password": "a secret word"}


@pytest.mark.sipp
def test_a_digest_of_another_name_than_the_caller_is_right_and_not_kept(sipp: Callable[..., Sipp]):
    far = sipp("digest_401")

    record = place(trunk(far.port, **ACCOUNT))

    assert far.ended_well()
    assert ["INVITE", "401 Unauthorized", "ACK", "INVITE", "603 Decline", "ACK"] == said(record)
    _assert_cut(record, b"Authorization")


def test_a_proxys_digest_is_right_and_not_kept():
    def asks(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE" and _is_right(asked.header("Proxy-Authorization") or "", asked.uri):
            yield reply(asked, "603 Decline")
        elif asked.method == "INVITE":
            ask = 'Proxy-Authenticate: Digest realm="far", nonce="n1", algorithm=MD5'
            yield reply(asked, "407 Proxy Authentication Required", ask)

    with FarEnd(asks) as far:
        record = place(trunk(far.port, **ACCOUNT))

    assert ["INVITE", "407 Proxy Authentication Required", "ACK", "INVITE", "603 Decline", "ACK"] == said(record)
    _assert_cut(record, b"Proxy-Authorization")


def _is_right(credentials: str, uri: str) -> bool:
    """RFC 2617 s3.2.2, without qop."""
    secret, asked = _md5("auth7:far:a secret word"), _md5(f"INVITE:{uri}")
    return f'response="{_md5(f"{secret}:n1:{asked}")}"' in credentials


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _assert_cut(record: CallRecord, header: bytes) -> None:
    kept = b"".join(message.raw for message in record.messages)
    assert b"\r\n" + header + b": (cut)\r\n" in kept
    assert b"auth7" not in kept
    assert b"response=" not in kept


@pytest.mark.sipp
def test_a_wrong_password_is_refused_by_the_far_end(sipp: Callable[..., Sipp]):
    far = sipp("digest_401")

    record = place(trunk(far.port, **ACCOUNT | {"password": "wrong"}))

    assert (Ending.REFUSED, "403 Forbidden") == (record.ending, said(record)[-2])


def test_a_challenge_that_nobody_can_answer_is_a_result():
    def asks(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="1"')

    with FarEnd(asks) as far:
        record = place(trunk(far.port))

    assert (Ending.REFUSED, ["INVITE", "401 Unauthorized", "ACK"]) == (record.ending, said(record))


def test_a_reliable_180_is_acknowledged_by_prack():
    def rings_reliably(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "180 Ringing", "Require: 100rel", "RSeq: 41", f"Contact: <sip:far@127.0.0.1:{far.port}>")
        elif asked.method == "PRACK":
            yield reply(asked, "200 OK")
            yield reply(far.requests("INVITE")[0], "603 Decline")

    with FarEnd(rings_reliably) as far:
        record = place(trunk(far.port))

    assert ["INVITE", "180 Ringing", "PRACK", "200 OK", "603 Decline", "ACK"] == said(record)
    number = (far.requests("INVITE")[0].header("CSeq") or "").split()[0]
    assert f"41 {number} INVITE" == far.requests("PRACK")[0].header("RAck")


def registrar(asked: Request) -> Iterator[bytes]:
    if asked.method == "REGISTER" and asked.header("Authorization") is None:
        yield reply(asked, "401 Unauthorized", 'WWW-Authenticate: Digest realm="far", nonce="1", qop="auth"')
    elif asked.method == "REGISTER":
        contact = asked.header("Contact") or ""
        yield reply(asked, "200 OK", *([f"Contact: {contact};expires=300"] if asked.header("Expires") != "0" else []))
    elif asked.method == "INVITE":
        yield reply(asked, "603 Decline")


def test_a_trunk_that_wants_it_is_registered_with_first_and_left_in_the_end():
    with FarEnd(registrar) as far:
        record = place(trunk(far.port, register=True, **ACCOUNT))
        gone = far.wait_for("REGISTER", count=4)

    methods = [raw.split()[0] for raw in far.heard]
    assert [b"REGISTER", b"REGISTER", b"INVITE", b"ACK"] == methods[:4]
    assert "0" == gone.header("Expires")
    assert (Ending.REFUSED, ["INVITE", "603 Decline", "ACK"]) == (record.ending, said(record))


def test_a_registration_is_kept_alive():
    async def keep(far: FarEnd) -> None:
        async with agent_on(trunk(far.port, register=True, keep_alive_s=1, **ACCOUNT)) as agent:
            await agent.open()
            await asyncio.to_thread(far.wait_for_text, b"\r\n")

    with FarEnd(registrar) as far:
        within(10, keep(far))


def test_a_refused_registration_is_told_in_words():
    def refuses(asked: Request) -> Iterator[bytes]:
        yield reply(asked, "403 Not A Customer")

    with FarEnd(refuses) as far:
        record = place(trunk(far.port, register=True, **ACCOUNT))

    assert (Ending.NO_RESPONSE, ()) == (record.ending, record.messages)
    assert "The trunk far did not take our registration: 403 Not A Customer." == record.detail
    assert [] == far.requests("INVITE")


def test_a_silent_registrar_is_told_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pool, "_REGISTER_S", 1.0)
    with FarEnd(lambda _: ()) as far:
        record = place(trunk(far.port, register=True, **ACCOUNT))

    assert (Ending.NO_RESPONSE, "The trunk far did not answer our REGISTER within 1 s.") == (
        record.ending,
        record.detail,
    )


def test_stop_does_not_wait_for_a_silent_registrar():
    async def stop(far: FarEnd) -> CallRecord:
        async with agent_on(trunk(far.port, register=True, **ACCOUNT)) as agent:
            call = asyncio.create_task(agent.place(request()))
            await asyncio.to_thread(far.wait_for, "REGISTER")
            agent.stop()
            async with asyncio.timeout(1):
                return await call

    with FarEnd(lambda _: ()) as far:
        assert Ending.STOPPED == within(10, stop(far)).ending


def test_a_trunk_is_inspected_without_ringing_anyone():
    def trunk_side(asked: Request) -> Iterator[bytes]:
        yield from [reply(asked, "200 OK")] if asked.method == "OPTIONS" else registrar(asked)

    with FarEnd(trunk_side) as far:
        findings = within(15, inspect(trunk(far.port, register=True, **ACCOUNT)))

    assert {"dns": True, "transport": None, "registration": True, "options": True} == {f.what: f.ok for f in findings}
    assert [] == far.requests("INVITE")


def test_no_message_is_kept_of_a_registration():
    with FarEnd(registrar) as far:
        record = place(trunk(far.port, register=True, **ACCOUNT))

    assert {Direction.SENT, Direction.RECEIVED} == {message.direction for message in record.messages}
    assert not [message for message in record.messages if b"REGISTER" in message.raw.split(b"\r\n")[0]]
