"""The signature of a card and its chain, against those who would like to be believed. Keys are made here."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from signed_cards import CONTACTS, NOW, VECTOR, Holder, card, certify, encoded, signed, usage

from probe.call import Card, CardState
from probe.verdict import Conformance, Notice, with_card
from probe.verdict.card import FRESH_S, find_fault, find_signature_fault, read_certificates

# The key to the vector, whose signature verifies; that of the example in RFC 8688 does not.
VECTOR_KEY = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfyQ1ReFRTusuVsT1GdsgdvJfelGL
iiZiTCEWPpbSmlOIm/tHkdN5/QvFGCya1HZceDCEKveAiAnvSDNct6+VDg==
-----END PUBLIC KEY-----
"""
VECTOR_AT = datetime.fromtimestamp(1_790_000_000, UTC)
ROOT = certify("root", ca=True)
BETWEEN = certify("between", ROOT, ca=True, path_length=0)
SIGNER = certify("signer", BETWEEN)
CHAIN = SIGNER.pem + BETWEEN.pem
NO_WAY = "the certificate of its signer does not lead to a root that the file names ("


def fault(
    text: bytes, certificates: bytes = CHAIN, roots: tuple[Holder, ...] = (ROOT,), at: datetime = NOW
) -> str | None:
    """All that the pure half says of a card."""
    trusted = [root.certificate for root in roots]
    return find_fault(text, at) or find_signature_fault(text, certificates, trusted, at)


def test_a_card_whose_signer_leads_to_a_root_of_the_file_is_believed():
    assert fault(card(SIGNER)) is None
    assert fault(card(SIGNER) + b"\r\n") is None


def test_the_vector_is_believed_with_its_own_key_and_no_other():
    root = certify("root", ca=True, at=VECTOR_AT)
    owner = certify("vector", root, at=VECTOR_AT, public_key=load_pem_public_key(VECTOR_KEY))
    other = certify("vector", root, at=VECTOR_AT)
    assert fault(VECTOR.encode(), owner.pem, (root,), VECTOR_AT) is None
    assert (
        fault(VECTOR.encode(), other.pem, (root,), VECTOR_AT) == "the signature of the card is not that of its signer"
    )


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (FRESH_S, None),
        (-FRESH_S, None),
        (FRESH_S + 1, "the card was signed more than 60 s ago"),
        (86_400 * 365, "the card was signed more than 60 s ago"),
        (-FRESH_S - 1, "the card was signed more than 60 s in the future"),
    ],
)
def test_a_card_is_fresh_for_a_minute_either_way(seconds, why):
    assert why == fault(card(SIGNER, at=NOW - timedelta(seconds=seconds)))


@pytest.mark.parametrize("iat", [1e400, "1790000000", True, None, [], 10**30, -(10**30)])
def test_a_time_that_is_none_is_no_time(iat):
    payload = {"iat": iat, "jcard": ["vcard", list(CONTACTS)]}
    head = {"alg": "ES256", "typ": "vcard+json", "x5u": "https://certs.example.net/key.pem"}
    assert fault(signed(SIGNER, head, payload)) is not None


def symmetric(alg: str, key: bytes) -> bytes:
    """Sign with the public key as if it were a secret (CVE-2015-9235 and its kin)."""
    text, _, _ = card(SIGNER, alg=alg).decode().rpartition(".")
    return f"{text}.{encoded(hmac.digest(key, text.encode(), hashlib.sha256))}".encode()


PUBLIC_PEM = SIGNER.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
NOT_ES256 = "the card is not signed with ES256"
UNSIGNED = card(SIGNER, alg="none").decode().rpartition(".")[0].encode() + b"."


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (UNSIGNED, NOT_ES256),
        (card(SIGNER).decode().rpartition(".")[0].encode() + b".", "the card has no signature"),
        (card(SIGNER, alg="none"), NOT_ES256),
        (card(SIGNER, alg="None"), NOT_ES256),
        (card(SIGNER, alg="es256"), NOT_ES256),
        (card(SIGNER, alg=["ES256"]), NOT_ES256),
        (card(SIGNER, alg="ES384"), NOT_ES256),
        (card(SIGNER, alg="RS256"), NOT_ES256),
        (symmetric("HS256", PUBLIC_PEM), NOT_ES256),
        (symmetric("HS256", SIGNER.pem), NOT_ES256),
        (symmetric("ES256", PUBLIC_PEM), "the signature of the card is not that of its signer"),
        (card(SIGNER, typ="JWT"), "the type of the card is not vcard+json"),
        (card(SIGNER, typ="VCARD+JSON"), "the type of the card is not vcard+json"),
        (card(SIGNER, typ="application/vcard+json"), "the type of the card is not vcard+json"),
        (card(SIGNER, x5u=5), "the card does not say where its signer's certificate is (x5u)"),
        (card(SIGNER, crit=["exp"]), "the card asks for something that it may not ask for (crit)"),
        (card(SIGNER, crit=[]), "the card asks for something that it may not ask for (crit)"),
        (card(SIGNER, b64=False, crit=["b64"]), "the card asks for something that it may not ask for (crit)"),
        (b"<html>not found</html>", "what stands there is no signed card (JWS in compact form)"),
        (b"", "what stands there is no signed card (JWS in compact form)"),
        (b"\x00\xff.\x1b[2J.x", "the header of the card cannot be read"),
        (b"a" * 70_000, "the card is larger than 64 KiB"),
    ],
    ids=lambda value: "card" if isinstance(value, bytes) else value,  # each run has keys of its own
)
def test_what_is_no_card_signed_with_es256_is_refused(text, why):
    assert why == fault(text)


def test_a_key_that_the_card_brings_along_is_not_asked():
    stranger = certify("stranger")
    numbers = stranger.key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": encoded(numbers.x.to_bytes(32)), "y": encoded(numbers.y.to_bytes(32))}
    assert "the signature of the card is not that of its signer" == fault(card(stranger, jwk=jwk))


def test_a_contact_that_was_changed_on_the_way_is_noticed():
    head, payload, signature = card(SIGNER).split(b".")
    changed = encoded(
        {"iat": int(NOW.timestamp()), "jcard": ["vcard", [["tel", {}, "uri", "tel:+12025550199"]]]}
    ).encode()
    assert payload != changed
    assert "the signature of the card is not that of its signer" == fault(b".".join((head, changed, signature)))


def chained(*holders: Holder) -> bytes:
    return b"".join(holder.pem for holder in holders)


def below(issuer: Holder, *, names: tuple[str, ...] = ("a", "b", "c")) -> list[Holder]:
    """One authority below the other, the lowest first."""
    made = [issuer]
    for name in names:
        made.append(certify(name, made[-1], ca=True))
    return made[:0:-1]


def refuses_chain(signer: Holder, *between: Holder, roots: tuple[Holder, ...] = (ROOT,)) -> str:
    said = fault(card(signer), chained(signer, *between), roots)
    assert said is not None
    return said


def test_a_signer_that_the_root_itself_named_is_believed():
    signer = certify("signer", ROOT)
    assert fault(card(signer), signer.pem) is None
    two = below(ROOT, names=("a", "b"))
    signer = certify("signer", two[0])
    assert fault(card(signer), chained(signer, *two)) is None


def test_a_chain_that_is_too_long_is_refused():
    three = below(ROOT)
    signer = certify("signer", three[0])
    assert refuses_chain(signer, *three).startswith(NO_WAY)
    many = [certify(f"c{n}", ROOT, ca=True) for n in range(4)]
    assert "its signer shows more than 4 certificates" == refuses_chain(certify("signer", ROOT), *many)


def test_certificates_that_have_ended_or_not_begun_are_refused():
    ended = certify("signer", BETWEEN, days=-1)
    assert refuses_chain(ended, BETWEEN).startswith(NO_WAY)
    old = certify("old", ROOT, ca=True, days=-1)
    assert refuses_chain(certify("signer", old), old).startswith(NO_WAY)
    old_root = certify("root", ca=True, days=-1)
    assert refuses_chain(certify("signer", old_root), roots=(old_root,)).startswith(NO_WAY)
    early = certify("signer", BETWEEN, at=NOW + timedelta(days=40))
    assert refuses_chain(early, BETWEEN).startswith(NO_WAY)


def test_only_an_authority_names_a_signer():
    for ca in (False, None):
        nobody = certify("nobody", ROOT, ca=ca)
        assert refuses_chain(certify("signer", nobody), nobody).startswith(NO_WAY)
    may_not_sign = certify("x", ROOT, ca=True, extensions=((usage(crl_sign=True), True),))
    assert refuses_chain(certify("signer", may_not_sign), may_not_sign).startswith(NO_WAY)
    below_zero = certify("below", BETWEEN, ca=True)
    assert refuses_chain(certify("signer", below_zero), below_zero, BETWEEN).startswith(NO_WAY)


def test_an_authority_signs_no_card_itself():
    assert "which signs certificates and no cards" in refuses_chain(BETWEEN)
    assert "which signs certificates and no cards" in refuses_chain(ROOT)
    useless = certify("signer", ROOT, extensions=((usage(key_agreement=True), True),))
    assert "its key may sign nothing" in refuses_chain(useless)
    useful = certify("signer", ROOT, extensions=((usage(digital_signature=True), True),))
    assert fault(card(useful), useful.pem) is None


def test_a_root_that_only_the_signer_shows_is_no_root():
    their_root = certify("root", ca=True)
    signer = certify("signer", their_root)
    assert refuses_chain(signer, their_root).startswith(NO_WAY)
    assert refuses_chain(certify("alone")).startswith(NO_WAY)
    assert fault(card(signer), chained(signer, their_root), (ROOT, their_root)) is None


def test_only_keys_for_es256_are_taken():
    no = "the key of its signer is not one for ES256 (P-256)"
    p384 = certify("signer", ROOT, key=ec.generate_private_key(ec.SECP384R1()))
    rsa_key = rsa.generate_private_key(65537, 2048)
    by_rsa = certify("signer", ROOT, public_key=rsa_key.public_key())
    assert no == fault(card(SIGNER), p384.pem)
    assert no == fault(card(SIGNER), by_rsa.pem)


def test_a_critical_extension_that_is_not_understood_is_refused():
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00")
    why = "a certificate of its signer asks for what we do not understand (a critical extension)"
    assert why == refuses_chain(certify("signer", ROOT, extensions=((strange, True),)))
    harmless = certify("signer", ROOT, extensions=((strange, False),))
    assert fault(card(harmless), harmless.pem) is None


def of_version(number: int) -> bytes:
    """The signer's certificate, as if it were of a version that does not exist."""
    der = SIGNER.certificate.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", bytes((160, 3, 2, 1, number)))
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "certificates",
    [of_version(118), b"", b"hello", b"\x00" * 9, SIGNER.pem[:-60], SIGNER.pem.replace(b"MII", b"AAA"), SIGNER.key_pem],
    ids=["of another version", "nothing", "text", "zeros", "cut", "spoilt", "a key"],
)
def test_what_is_no_certificate_is_refused(certificates):
    assert "the certificate of its signer cannot be read (PEM was expected)" == fault(card(SIGNER), certificates)


def test_roots_that_cannot_be_read_are_named():
    with pytest.raises(ValueError, match="PEM"):
        read_certificates(b"no certificate")


NOTICE = Notice(kind="608", conformance=Conformance.CONFORMANT)


def seen(state: CardState, why: str | None, text: bytes) -> Notice:
    came = Card(uri="https://block.example.net/jws", at=NOW, state=state, why=why, jws=text.decode())
    return with_card(NOTICE, came)


def test_the_contacts_of_a_verified_card_stand_in_the_notice():
    found = seen(CardState.VERIFIED, None, card(SIGNER)).card
    assert (CardState.VERIFIED, None, "Robocall Adjudication") == (found.state, found.why, found.fn)
    assert (("https://block.example.net/redress",), ("tel:+1-202-555-0142",)) == (found.url, found.tel)
    assert (int(NOW.timestamp()), ()) == (found.iat, found.flaws)


@pytest.mark.parametrize("state", [CardState.UNVERIFIED, CardState.REFUSED])
def test_the_contacts_of_any_other_card_do_not(state):
    found = seen(state, "the card was signed more than 60 s ago", card(SIGNER)).card
    assert (state, "the card was signed more than 60 s ago") == (found.state, found.why)
    assert (None, (), (), (), (), None) == (found.fn, found.url, found.tel, found.email, found.adr, found.iat)


def test_a_verified_card_may_still_name_contacts_to_mistrust():
    rows = [
        ["url", {}, "uri", "javascript:alert(1)"],
        ["tel", {}, "uri", "tel:+19005550100"],
        ["email", {}, "text", "x"],
    ]
    head = {"alg": "ES256", "typ": "vcard+json", "x5u": "https://certs.example.net/key.pem"}
    text = signed(SIGNER, head, {"iat": int(NOW.timestamp()), "jcard": ["vcard", rows]})
    found = seen(CardState.VERIFIED, None, text).card
    assert ("bad_redress_email", "bad_redress_url", "premium_redress_tel") == found.flaws
