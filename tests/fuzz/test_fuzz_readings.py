"""No bytes of strangers break a reading: known ones, those that fuzzing found, damaged ones, and any."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.readings import FOUND, READINGS
from tests.fuzz.seeds import found, seeds

PIECES = [
    *(b"\r\n", b"\n", b"\n ", b"\x00", b"\x1b[2J", b"\x9b", b"\xff", b'"', b"\\", b";", b",", b"=", b":", b"<", b">"),
    *(
        b"\xe2\x80\xae",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
        b"\xc2\x85",
        b"9" * 30,
        b"{",
        b"[",
        b"- ",
        b"? ",
        b"&a ",
        b"*a",
    ),
    *(b"${SECRET}", b"Reason: SIP;cause=603", b"SIP/2.0 200 OK\r\n", b"\n--next--\n", b"text=", b"javascript:alert(1)"),
    *(b"=1+1", b"<script>", b"%0d%0a", b"-1", b"1e400", b"NaN", b"null", b"CSeq: 1 INVITE\r\n", b"Call-ID: c1\r\n"),
]
few = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def damaged(draw, reading):
    """A seed with a few bytes cut out, doubled, or put in."""
    raw = draw(st.sampled_from(seeds(reading)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 40)))
        put = draw(st.sampled_from(PIECES) | st.binary(max_size=6) | st.just(raw[start:end] * 3))
        raw = raw[:start] + put + raw[end:]
    return raw


@pytest.mark.parametrize("reading", READINGS)
def test_every_seed_and_every_finding_is_read(reading):
    known = seeds(reading)
    assert known
    for raw in known:
        READINGS[reading](raw)


def test_every_finding_belongs_to_a_reading():
    folders = {path.name for path in FOUND.glob("*")}
    assert set() == folders - set(READINGS)
    assert sum(1 for path in FOUND.glob("*/*")) == sum(len(found(reading)) for reading in READINGS)


@pytest.mark.parametrize("reading", READINGS)
def test_no_damage_to_a_seed_breaks_a_reading(reading):
    @few
    @given(damaged(reading))
    def holds(raw):
        READINGS[reading](raw)

    holds()


@pytest.mark.parametrize("reading", READINGS)
def test_no_bytes_break_a_reading(reading):
    @few
    @given(st.binary(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
    def holds(raw):
        READINGS[reading](raw)

    holds()
