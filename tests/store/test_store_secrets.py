from pathlib import Path

import pytest
from sqlalchemy import select

from probe.judged import judge_call
from probe.store.rows import cut_credentials
from probe.store.schema import metadata

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
    whole = cut_credentials(before + form + (after if form.endswith((b"\r", b"\n")) else b""))
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
    assert harmless == cut_credentials(harmless)


def test_no_form_of_credentials_reaches_the_disk(store, url, make_request, make_record, make_message):
    messages = tuple(make_message(b"INVITE sip:x SIP/2.0\r\n" + form) for form in FORMS.values())
    record = make_record(make_request(), messages=messages)
    store.begin(record.request, record.started_at)
    store.finish(judge_call(record))
    written = all_of(store, url)
    assert b"INVITE sip:x SIP/2.0" in written
    assert SECRET not in written


def all_of(store, url):
    """Every byte that the store keeps."""
    if url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in Path(url.removeprefix("sqlite:///")).parent.iterdir())
    with store._database.reading() as connection:
        found = [connection.execute(select(table)).all() for table in metadata.sorted_tables]
    return repr(found).encode()
