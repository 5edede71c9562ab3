import pytest

from probe.sip import Reason, read_response


def reasons(*values: str) -> tuple[Reason, ...]:
    lines = "".join(f"Reason: {value}\r\n" for value in values)
    return read_response(f"SIP/2.0 603 Decline\r\n{lines}\r\n".encode()).reasons


def reason(value: str) -> Reason:
    (only,) = reasons(value)
    return only


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("SIP", Reason(protocol="SIP")),
        ("SIP;cause=603", Reason(protocol="SIP", cause=603)),
        ('Q.850 ; cause = 16 ; text = "x"', Reason(protocol="Q.850", cause=16, text="x")),
        ('q.850;CAUSE=16;Text="X";LOCATION=rln', Reason(protocol="q.850", cause=16, text="X", location="rln")),
        ('SIP;cause="603"', Reason(protocol="SIP", cause=603)),
        ('SIP;text="a;b,c=d"', Reason(protocol="SIP", text="a;b,c=d")),
        (r'SIP;text="a\"b\\c\d"', Reason(protocol="SIP", text=r'a"b\cd')),
        ('SIP;text=""', Reason(protocol="SIP", text="")),
        ("SIP;text", Reason(protocol="SIP", text="")),
        ('SIP;cause=1;ppi="x";Flag', Reason(protocol="SIP", cause=1, params=(("ppi", "x"), ("flag", "")))),
        ("SIP;cause=603;", Reason(protocol="SIP", cause=603)),
        ("SIP;;cause=603", Reason(protocol="SIP", cause=603)),
        (";cause=603", Reason(protocol="", cause=603)),
    ],
)
def test_a_sound_reason_is_read(value, expected):
    assert expected == reason(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("SIP;text=Call rejected", Reason(protocol="SIP", text="Call rejected", flaws=("text_not_quoted",))),
        (
            "SIP;text=Sorry, try later;cause=5",
            Reason(protocol="SIP", cause=5, text="Sorry, try later", flaws=("text_not_quoted",)),
        ),
        ("SIP;text='a;b';cause=5", Reason(protocol="SIP", cause=5, text="a;b", flaws=("text_not_quoted",))),
        ('SIP;text="a;cause=5', Reason(protocol="SIP", text="a;cause=5", flaws=("unterminated_quote",))),
        ('SIP;text="', Reason(protocol="SIP", text="", flaws=("unterminated_quote",))),
        ('SIP;text="a\\', Reason(protocol="SIP", text="a\\", flaws=("unterminated_quote",))),
        ("SIP;text=“a;b”;cause=5", Reason(protocol="SIP", cause=5, text="a;b", flaws=("smart_quotes",))),
        ('SIP;text=“a;b";cause=5', Reason(protocol="SIP", cause=5, text="a;b", flaws=("smart_quotes",))),
        ("SIP;text=“a;b", Reason(protocol="SIP", text="a;b", flaws=("unterminated_quote",))),
        ('SIP;text="a"b";cause=5', Reason(protocol="SIP", cause=5, text="a", flaws=("stray_text",))),
        ("SIP;cause=1;cause=2", Reason(protocol="SIP", cause=1, flaws=("duplicate_param:cause",))),
        ("SIP;cause=x", Reason(protocol="SIP", flaws=("bad_cause",))),
        ("SIP;cause=²", Reason(protocol="SIP", flaws=("bad_cause",))),
        ("SIP;cause=-1", Reason(protocol="SIP", flaws=("bad_cause",))),
        ("SIP;cause=" + "9" * 5000, Reason(protocol="SIP", flaws=("bad_cause",))),
    ],
)
def test_a_broken_reason_is_read_as_far_as_it_goes(value, expected):
    assert expected == reason(value)


def test_comma_joined_reasons_are_split_outside_quotes():
    read = reasons('Q.850;cause=21;text="no, really" , SIP;cause=603;text="a,b";location=LN,STIR')
    expected = [("Q.850", 21, "no, really", None), ("SIP", 603, "a,b", "LN"), ("STIR", None, None, None)]
    assert expected == [(r.protocol, r.cause, r.text, r.location) for r in read]


def test_repeated_header_fields_keep_their_order():
    assert ["SIP", "Q.850", "STIR"] == [r.protocol for r in reasons("SIP", "Q.850,STIR")]


@pytest.mark.parametrize("value", ["", ",", " , ,"])
def test_nothing_is_no_reason(value):
    assert () == reasons(value)


@pytest.mark.parametrize(
    "unit", ["\\", '"', ";", ",", ";a", ";a=", ',a;b="', ";text='", "“", " ", "\t;", ";a=,", '\\"', ";a=b ,"]
)
def test_hostile_values_cost_time_in_proportion_to_their_size(unit):
    """64 KB would take hours if any pattern were quadratic; the test's own timeout is the judge."""
    for start in ("", "SIP;text=", 'SIP;text="', "SIP;text=“"):
        assert reasons(start + unit * (65_536 // len(unit))) is not None
