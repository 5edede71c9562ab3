import pytest

from probe.sip.blanked import without_secrets

SECRET = b"c0ffee5ec7e7"

FORMS = {
    "plain": b"Authorization: Digest response=" + SECRET + b"\r\n",
    "proxy": b"Proxy-Authorization: Digest response=" + SECRET + b"\r\n",
    "odd case": b"pROXY-aUTHORIZATION: Digest response=" + SECRET + b"\r\n",
    "blank before the colon": b"Authorization \t: Digest response=" + SECRET + b"\r\n",
    "folded before the colon": b"Authorization\r\n : Digest response=" + SECRET + b"\r\n",
    "no blank": b"Authorization:Digest response=" + SECRET + b"\r\n",
    "folded": b"Authorization: Digest username=x,\r\n response=" + SECRET + b"\r\n",
    "folded twice, with a tab": b"Authorization:\r\n\tDigest username=x,\r\n\tresponse=" + SECRET + b"\r\n",
    "folded with bare LF": b"Authorization: Digest\n response=" + SECRET + b"\n",
    "folded with bare CR": b"Authorization: Digest\r response=" + SECRET + b"\r",
    "any bytes": b"Authorization: \xff\x00" + SECRET + b"\r\n",
    "cut off": b"Authorization: Digest response=" + SECRET,
    "twice": (b"Authorization: " + SECRET + b"\r\n") * 2,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_credentials_are_cut_and_the_rest_is_kept_to_the_byte(form):
    before, after = b"REGISTER sip:example.com SIP/2.0\r\nTo: <sip:a@example.com>\r\n", b"X-After: 1\r\n\r\n"
    whole = without_secrets(before + form + (after if form.endswith((b"\r", b"\n")) else b""))
    assert SECRET not in whole
    assert whole.startswith(before)
    assert b"(cut)" in whole
    assert whole.endswith(after) or not form.endswith((b"\r", b"\n"))


@pytest.mark.parametrize(
    "harmless",
    [
        b"WWW-Authenticate: Digest realm=x, nonce=y\r\n",
        b"X-Authorization: kept\r\n",
        b"Subject: Authorization: kept\r\n",
        b"\xff\x00 Authorization kept",
    ],
)
def test_what_holds_no_credentials_is_kept_to_the_byte(harmless):
    assert harmless == without_secrets(harmless)


OFFER = b"""v=0\r
m=audio 4000 RTP/SAVP 0\r
a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:c0ffee5ec7e7LBQdKXkm+/==|2^20|1:32\r
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:c0ffee5ec7e7aa;inline:c0ffee5ec7e7bb KDR=1\r
A = CRYPTO : 3 AES_CM_128_HMAC_SHA1_32 INLINE:c0ffee5ec7e7cc\r
k=base64:c0ffee5ec7e7dd\r
a=rtpmap:0 PCMU/8000\r
"""


def test_keys_of_media_are_starred_and_the_message_is_as_long_as_it_was():
    whole = without_secrets(b"INVITE sip:x SIP/2.0\r\n\r\n" + OFFER)
    assert SECRET not in whole
    assert len(whole) == len(OFFER) + 24
    assert b"a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:**" in whole
    assert b"|2^20|1:32\r\n" in whole
    assert b"a=rtpmap:0 PCMU/8000\r\n" in whole


def test_a_header_that_is_named_secret_is_cut_and_its_neighbours_are_not():
    raw = (
        b"INVITE sip:x SIP/2.0\r\nX-Token: "
        + SECRET
        + b"\r\nx-tokens: kept\r\nX-TOKEN : a,\r\n "
        + SECRET
        + b"\r\n\r\n"
    )
    whole = without_secrets(raw, ("X-Token",))
    assert b"INVITE sip:x SIP/2.0\r\nX-Token: (cut)\r\nx-tokens: kept\r\nX-TOKEN: (cut)\r\n\r\n" == whole
