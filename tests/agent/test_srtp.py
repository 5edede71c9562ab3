"""Encrypted media as the trunk asks: what is offered, what is agreed on, and what becomes of the keys."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from agent.conftest import invite_of, place, trunk
from agent.far_end import FarEnd, bye, reply

from probe.call import CallRecord, Ending
from probe.sip import Request
from probe.stack import Build
from probe.trunk import Srtp

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"  # RFC 4568 s9.1, the example there
SUITE = "AES_CM_128_HMAC_SHA1_80"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4 {profile} 0\r\n{crypto}"


class Takes:
    """A far end that answers, with SRTP (`crypto`) or without, under the profile that was offered."""

    def __init__(self, *, crypto: bool, refuses_clear: bool = False, hangs_up: bool = False) -> None:
        self.crypto, self.refuses_clear, self.hangs_up = crypto, refuses_clear, hangs_up
        self.invite: Request | None = None
        self.port = 0

    def __call__(self, asked: Request) -> Iterator[bytes]:
        if asked.method == "BYE":
            yield reply(asked, "200 OK")
        if asked.method == "ACK" and self.hangs_up and self.invite:
            time.sleep(0.2)  # some packets are to flow
            yield bye(self.invite)
        if asked.method != "INVITE":
            return
        self.invite = asked
        offer = asked.body.decode()
        if self.refuses_clear and "a=crypto:" not in offer:
            yield reply(asked, "488 Not Acceptable Here")
            return
        profile = re.findall(r"m=audio \d+ (\S+)", offer)[0]
        tag = re.findall(rf"a=crypto:(\d+) {SUITE} ", offer)
        crypto = f"a=crypto:{tag[0]} {SUITE} inline:{KEY}\r\n" if self.crypto else ""
        body = SDP.format(profile=profile, crypto=crypto)
        yield reply(asked, "200 OK", f"Contact: <sip:far@127.0.0.1:{self.port}>", body=body)


def call(script: Takes, srtp: Srtp) -> tuple[CallRecord, str]:
    """A call, and the offer as it went over the wire."""
    with FarEnd(script) as far:
        script.port = far.port
        record = place(trunk(far.port, srtp=srtp))
        return record, far.wait_for("INVITE").body.decode()


def test_every_build_has_srtp(build: Build):
    assert build.srtp


def test_a_trunk_without_srtp_is_offered_none():
    record, offer = call(Takes(crypto=False), Srtp.OFF)

    assert (Ending.ANSWERED, Srtp.OFF) == (record.ending, record.security and record.security.srtp)
    assert "RTP/AVP " in offer
    assert "a=crypto" not in offer
    assert record.media is not None
    assert not record.media.encrypted


@pytest.mark.parametrize(("srtp", "profile"), [(Srtp.REQUIRED, "RTP/SAVP "), (Srtp.OPTIONAL, "RTP/AVP ")])
def test_a_trunk_with_srtp_is_offered_keys_and_takes_them(srtp: Srtp, profile: str):
    record, offer = call(Takes(crypto=True, refuses_clear=True), srtp)

    assert Ending.ANSWERED == record.ending
    assert profile in offer
    assert "a=crypto:1 " in offer
    assert record.media is not None
    assert record.media.encrypted
    assert record.media.rtp_sent > 0
    assert srtp == (record.security and record.security.srtp)


def test_a_call_that_the_far_end_ends_is_recorded_as_encrypted_too():
    record, _ = call(Takes(crypto=True, hangs_up=True), Srtp.OPTIONAL)

    assert Ending.ANSWERED == record.ending
    assert record.media is not None
    assert record.media.encrypted


def test_where_srtp_is_optional_a_far_end_without_it_gets_plain_media():
    record, _ = call(Takes(crypto=False), Srtp.OPTIONAL)

    assert Ending.ANSWERED == record.ending
    assert record.media is not None
    assert not record.media.encrypted


def test_where_srtp_is_required_an_answer_without_it_gets_no_media():
    record, _ = call(Takes(crypto=False), Srtp.REQUIRED)

    assert record.media is None or not record.media.rtp_sent


def test_a_far_end_that_needs_srtp_refuses_a_call_without():
    record, _ = call(Takes(crypto=True, refuses_clear=True), Srtp.OFF)

    assert (Ending.REFUSED, None) == (record.ending, record.media)


def test_no_key_of_media_is_kept():
    record, offer = call(Takes(crypto=True), Srtp.REQUIRED)
    ours = re.findall(r"inline:(\S+)", offer)
    kept = b"".join(message.raw for message in record.messages)

    assert len(ours) >= 2
    assert [] == [key for key in [*ours, KEY] if key.encode() in kept]
    assert b"inline:" + b"*" * len(KEY) in kept
    assert len(offer) == len(invite_of(record).partition("\r\n\r\n")[2])


_WITHOUT = """
import dataclasses, json
from probe import pjsip
from probe.stack import Account, Setup
from probe.trunk import Srtp
pjsip._has_srtp = lambda: False
try:
    pjsip.Stack(Setup(bind="127.0.0.1", media_bind="127.0.0.1", srtp=Srtp.OPTIONAL), Account(uri="sip:a@localhost"))
except RuntimeError as error:
    print(error)
"""


def test_a_build_without_srtp_says_so_before_anything_is_dialled():
    said = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=True)

    assert "this pjsua2 was built without SRTP; take srtp out of the trunk, or run `make pjsua2`\n" == said.stdout
