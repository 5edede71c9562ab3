import base64
import json

import pytest
from signed_cards import VECTOR

from probe.verdict import JCard, read_jcard

HEADER = {"alg": "ES256", "typ": "vcard+json", "x5u": "https://certs.example.net/key.cer"}
PAYLOAD = {"iat": 1_790_000_000, "jcard": ["vcard", [["tel", {}, "uri", "tel:+12025550142"]]]}


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def jws(header: object = HEADER, payload: object = PAYLOAD, signature: str = "c2ln") -> str:
    return f"{part(header)}.{part(payload)}.{signature}"


def test_the_vector_is_read():
    expected = JCard(
        fn="Robocall Adjudication",
        url=("https://block.example.net/redress",),
        tel=("tel:+1-202-555-0142",),
        iat=1_790_000_000,
        alg="ES256",
        typ="vcard+json",
        x5u="https://certs.example.net/reject_key.cer",
        flaws=(),
    )
    assert expected == read_jcard(VECTOR)
    assert expected == read_jcard(VECTOR.encode() + b"\r\n")


def test_a_structured_address_is_written_with_commas():
    address = ["adr", {}, "text", ["", "", "1 Main Street", "Springfield", "", "12345", "USA"]]
    card = read_jcard(jws(payload={"iat": 1, "jcard": ["vcard", [address]]}))
    assert (("1 Main Street, Springfield, 12345, USA",), ()) == (card.adr, card.flaws)


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("", ("jws_not_three_parts",)),
        ("a.b", ("jws_not_three_parts",)),
        ("a" * 70_000, ("jws_too_large",)),
        (jws(signature=""), ("jws_no_signature",)),
        (jws(signature="a+b/c="), ("jws_no_signature",)),
        (jws(header={**HEADER, "alg": "none"}), ("jws_wrong_alg",)),
        (jws(header={**HEADER, "typ": "JWT"}), ("jws_wrong_typ",)),
        (jws(header={**HEADER, "x5u": 5}), ("jws_no_x5u",)),
        (jws(header="[]"), ("jws_bad_header",)),
        (jws(payload="nothing"), ("jws_bad_payload", "jcard_no_contact")),
        (jws(payload={**PAYLOAD, "iat": True}), ("jws_no_iat",)),
        (jws(payload={**PAYLOAD, "iat": "1790000000"}), ("jws_no_iat",)),
        (jws(payload={"iat": 1}), ("jcard_no_contact",)),
        (jws(payload={"iat": 1, "jcard": ["vcard", [["fn", {}, "text", "Nobody"]]]}), ("jcard_no_contact",)),
        (jws(payload={"iat": 1, "jcard": ["vcard", [["tel"], "tel", ["tel", {}, "uri", 5]]]}), ("jcard_no_contact",)),
        (jws(payload="[" * 40_000), ("jws_bad_payload", "jcard_no_contact")),
        (jws(payload='{"iat": ' + "9" * 9000 + "}"), ("jws_bad_payload", "jcard_no_contact")),
        (f"ab c.{part(PAYLOAD)}.c2ln", ("jws_bad_header",)),
        (f"a.{part(PAYLOAD)}.c2ln", ("jws_bad_header",)),
    ],
)
def test_what_is_wrong_with_a_jws_is_said(text, flaws):
    card = read_jcard(text)
    assert flaws == card.flaws
