from pathlib import Path

from sqlalchemy import select

from probe.judged import judge_call
from probe.store.schema import metadata

SECRET = b"c0ffee5ec7e7"

MESSAGES = (
    b"Authorization: Digest response=" + SECRET + b"\r\n",
    b"Authorization\r\n : Digest username=x,\n\tresponse=" + SECRET + b"\n",
    b"Content-Length: 9\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + SECRET + b"|2^20|1:4\r\n",
)


def test_no_secret_of_a_message_reaches_the_disk(store, url, make_request, make_record, make_message):
    messages = tuple(make_message(b"INVITE sip:x SIP/2.0\r\n" + form) for form in MESSAGES)
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
