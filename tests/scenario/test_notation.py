"""Each value of a scenario file: how it may be written and how it may not."""

import pytest

from probe.expectation import DISPOSITIONS
from probe.scenario import notation
from probe.scenario.notation import SipUri
from probe.scenario.scenario import Hours, Rate
from probe.trunk import Transport
from probe.verdict import Disposition

READ = [
    (notation.read_duration, "500ms", 500),
    (notation.read_duration, "25s", 25_000),
    (notation.read_duration, "10m", 600_000),
    (notation.read_duration, "2h", 7_200_000),
    (notation.read_duration, "1d", 86_400_000),
    (notation.read_duration, "0s", 0),
    (notation.read_rate, "3/15m", Rate(count=3, window_s=900)),
    (notation.read_rate, "1/1500ms", Rate(count=1, window_s=1)),
    (notation.read_hours, "09:00-20:00", Hours(opens=540, closes=1200)),
    (notation.read_hours, "00:00-24:00", Hours(opens=0, closes=1440)),
    (notation.read_cron, "0  10-18/2 * *  mon-fri", "0 10-18/2 * * mon-fri"),
    (notation.read_cron, "0,30 9 1,15 jan,7 *", "0,30 9 1,15 jan,7 *"),
    (notation.read_timezone, "America/New_York", "America/New_York"),
    (notation.read_timezone, "UTC", "UTC"),
    (notation.read_uri, "sip:sbc.example.com", SipUri(host="sbc.example.com")),
    (notation.read_uri, "SIP:SBC.example.com:5070", SipUri(host="SBC.example.com", port=5070)),
    (notation.read_uri, "sip:192.0.2.1;transport=TCP", SipUri(host="192.0.2.1", transport=Transport.TCP)),
    (notation.read_uri, "sip:[2001:db8::1]:5061", SipUri(host="2001:db8::1", port=5061)),
    (notation.read_uri, "sips:sbc.example.com", SipUri(host="sbc.example.com", transport=Transport.TLS)),
    (notation.read_uri, "sips:sbc;transport=tcp", SipUri(host="sbc", transport=Transport.TLS)),
    (notation.read_proxy, "sip:proxy.example.com;lr", "sip:proxy.example.com;lr"),
    (notation.read_host, "[2001:db8::1]", "2001:db8::1"),
    (notation.read_host, "sbc_1.example.com.", "sbc_1.example.com."),
    (notation.read_host_port, "stun.example.com", "stun.example.com"),
    (notation.read_host_port, "[2001:db8::1]:3478", "[2001:db8::1]:3478"),
    (notation.read_host_port, "2001:db8::1", "2001:db8::1"),
    (notation.read_nameserver, "[2001:db8::1]", "[2001:db8::1]"),
    (notation.read_verify, "yes", True),
    (notation.read_verify, "no-anyone-can-listen-in", False),
    (notation.read_yes, "Off", False),
    (notation.read_calls_per_second, "0.25", 0.25),
    (notation.read_destination, "+1 202 555 0191", "+12025550191"),
    (notation.read_destination, "911", "911"),
    (notation.read_header_name, "X-Account", "X-Account"),
    (notation.read_header_name, "User-Agent", "User-Agent"),
    (notation.read_web_address, "http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
    (notation.read_web_address, "https://[::1]/x?y=z", "https://[::1]/x?y=z"),
]


@pytest.mark.parametrize(("reader", "text", "expected"), READ)
def test_a_value_is_read(reader, text, expected):
    assert expected == reader(text)


REFUSED = [
    *(
        (notation.read_duration, text)
        for text in ("", "25", "s", "1.5s", "-1s", "25 s", "25S", "\u0662s", "9999999999s")
    ),
    *((notation.read_rate, text) for text in ("", "3", "3/", "/1m", "0/1m", "-1/1m", "3/15", "3/500ms", "3/1m/1m")),
    *((notation.read_hours, text) for text in ("", "9-20", "09:00", "09:00-09:00", "20:00-09:00", "09:60-20:00")),
    *((notation.read_hours, text) for text in ("09:00-24:01", "09:00-20:00 ", "\u0660\u0669:00-20:00")),
    *((notation.read_cron, text) for text in ("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *")),
    *((notation.read_cron, text) for text in ("* * 32 * *", "* * * 13 *", "* * * * 7", "* * * * 0", "* * * * 1-5")),
    *((notation.read_cron, text) for text in ("*/0 * * * *", "5/2 * * * *", "18-10 * * * *", "1-2-3 * * * *")),
    *((notation.read_cron, text) for text in ("1, * * * *", "@daily", "a * * * *", "- * * * *", "* * * * fri-mon")),
    *((notation.read_timezone, text) for text in ("", "America", "america/newyork", "/etc/localtime", "../UTC", "\0")),
    *(
        (notation.read_uri, text)
        for text in ("", "sip:", "sbc.example.com", "tel:+12025550101", "sip:a b", "sip::5060")
    ),
    *(
        (notation.read_uri, text)
        for text in ("sip:me@sbc.example.com", "sip:sbc.example.com:0", "sip:sbc:65536", "sip:sbc:")
    ),
    *((notation.read_uri, text) for text in ("sip:sbc.example.com;transport=ws", "sip:sbc?X=y", "sip:[192.0.2.1]")),
    *(
        (notation.read_uri, text)
        for text in ("sip:2001:db8::1", "sip:[fe80::1%25eth0]", "sip:1.2.3", "sip:-sbc.com", "sip:a..b")
    ),
    *(
        (notation.read_uri, text)
        for text in ("sip:sbc\r\nVia: x", "sip:sbc>", 'sip:sbc"', "sip:sbc,sip:b", "sip:" + "a" * 254)
    ),
    *((notation.read_host_port, text) for text in ("", "stun:", "stun:0", "stun:70000", "a:b", "[::1", "sip:stun:1")),
    *((notation.read_nameserver, text) for text in ("", "dns.example.com", "192.0.2.53:", "192.0.2.53:0", "[dns]:53")),
    *((notation.read_address, text) for text in ("", "localhost", "[::1]", "192.0.2", "fe80::1%eth0", "192.0.2.0/24")),
    *((notation.read_verify, text) for text in ("no", "false", "off", "NO", "none", "")),
    *(
        (notation.read_calls_per_second, text)
        for text in ("", "0", "0.0", "-1", "101", "1e3", "inf", "nan", "1.", "\u0661")
    ),
    *((notation.read_header_name, text) for text in ("", "Via", "vIA", "From", "To", "Call-ID", "CSeq", "Contact")),
    *(
        (notation.read_header_name, text)
        for text in ("Max-Forwards", "Route", "Record-Route", "Content-Length", "content-x")
    ),
    *(
        (notation.read_header_name, text)
        for text in ("Authorization", "Proxy-Authorization", "i", "l", "P-Asserted-Identity")
    ),
    *((notation.read_header_name, text) for text in ("X:", "X Y", "X\r\nY", "X-\u00e4", "X-A: b")),
    *((notation.read_user, text) for text in ("", 'a"b', "a b", "a\\b", "<a>")),
    *(
        (notation.read_web_address, text)
        for text in ("", "hooks.example.com", "ftp://x", "https://", "https://x:99999")
    ),
    *(
        (notation.read_web_address, text)
        for text in ("https://x y", "file:///etc/passwd", "https://[::1", "javascript:1")
    ),
    *(
        (notation.read_webhook_secret, text)
        for text in ("", "whsec_", "whsec_c2hvcnQ=", "whsec_***", "whsec_" + "A" * 100)
    ),
    *((notation.read_name, text) for text in ("", "a b", "-a", "a/b", "a" * 65, "\u00e4")),
    *((notation.read_destination, text) for text in ("", "alice", "2025550101", "+1202555")),
]


@pytest.mark.parametrize(("reader", "text"), REFUSED)
def test_a_wrong_value_is_refused_in_half_a_sentence_that_says_what_to_do(reader, text):
    with pytest.raises(ValueError, match=r"(?s)\A[a-z][^\n]*[.?]\Z"):
        reader(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST.", "::ffff:127.0.0.1"])
def test_loopback_is_told_by_address_and_by_its_name(host):
    assert notation.is_loopback(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "128.0.0.1", "::2", "localhost.example.com", "127.0.0.1.example.com", "0.0.0.0"]
)
def test_another_host_is_not_loopback(host):
    assert not notation.is_loopback(host)


def test_dispositions_are_those_that_a_verdict_can_have():
    assert set(DISPOSITIONS) == {disposition.value for disposition in Disposition}
