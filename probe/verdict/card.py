"""The signed card of a 608 and its signer's certificates in; why it is not to be believed out, or nothing.

RFC 8688 s3.2 (a JWS whose payload is a jCard), RFC 7515 (JWS, x5u), RFC 5280 (the chain). The time comes in. All that
is looked at was written by whoever wants to be believed; so every step is strict, and the first fault ends it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from probe.verdict.jcard import JCard, read_jcard, read_jose_header

FRESH_S: Final = 60
"""So far may `iat` be from our clock: RFC 8688 s3.2.1 suggests an age "on the order of a minute"; clocks differ too."""

# A signer, the authority that named it, one above that: STIR's own hierarchy is no deeper (ATIS-1000080).
_MOST_CERTIFICATES = 4
_MOST_BETWEEN = 2
_HEADER_BYTES = 8 * 1024
_PAYLOAD_BYTES = 64 * 1024

# What a fault of the JWS means (`probe.verdict.jcard`), the most telling first.
_FAULTS: tuple[tuple[str, str], ...] = (
    ("jws_too_large", "the card is larger than 64 KiB"),
    ("jws_not_three_parts", "what stands there is no signed card (JWS in compact form)"),
    ("jws_bad_header", "the header of the card cannot be read"),
    ("jws_wrong_alg", "the card is not signed with ES256"),
    ("jws_wrong_typ", "the type of the card is not vcard+json"),
    ("jws_no_signature", "the card has no signature"),
    ("jws_no_x5u", "the card does not say where its signer's certificate is (x5u)"),
    ("jws_bad_payload", "the payload of the card cannot be read"),
    ("jws_no_iat", "the card does not say when it was signed (iat)"),
    ("jcard_no_contact", "the card names no contact"),
)

# What a certificate may ask us to understand (RFC 5280 s4.2): we do. Any other critical extension ends it.
_UNDERSTOOD = frozenset({x509.BasicConstraints.oid, x509.KeyUsage.oid})
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read the certificates of a PEM text; ValueError where there is none, or one that cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except x509.InvalidVersion as error:  # which is no ValueError
        raise ValueError(str(error)) from error


def find_fault(text: bytes, now: datetime) -> str | None:
    """Say what is wrong with a card before its signer is asked for; None if nothing is."""
    card = read_jcard(text)
    for flaw, words in _FAULTS:
        if flaw in card.flaws:
            return words
    if "crit" in read_jose_header(text):
        return "the card asks for something that it may not ask for (crit)"  # RFC 7515 s4.1.11: refuse what is unknown
    return _age_fault(card, now)


def find_signature_fault(
    text: bytes, certificates: bytes, roots: Sequence[x509.Certificate], now: datetime
) -> str | None:
    """Say why the signature of a card that has no other fault proves nothing; None if it proves who wrote the card."""
    try:
        chain = read_certificates(certificates)
        return _chain_fault(chain, roots, now) or _signature_fault(text, chain[0])
    except _UNREADABLE:
        return "the certificate of its signer cannot be read (PEM was expected)"


def _age_fault(card: JCard, now: datetime) -> str | None:
    age_s = now.timestamp() - (card.iat or 0)
    if age_s > FRESH_S:
        return f"the card was signed more than {FRESH_S} s ago"
    return f"the card was signed more than {FRESH_S} s in the future" if age_s < -FRESH_S else None


def _chain_fault(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime) -> str | None:
    if len(chain) > _MOST_CERTIFICATES:
        return f"its signer shows more than {_MOST_CERTIFICATES} certificates"
    key = chain[0].public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return "the key of its signer is not one for ES256 (P-256)"
    if any(extension.critical and extension.oid not in _UNDERSTOOD for one in chain for extension in one.extensions):
        return "a certificate of its signer asks for what we do not understand (a critical extension)"
    try:
        _verifier(roots, now).verify(chain[0], list(chain[1:]))
    except verification.VerificationError as error:
        return f"the certificate of its signer does not lead to a root that the file names ({_inner(error)})"
    return None


def _inner(error: Exception) -> str:
    """Give the verifier's own words, without the certificates that it quotes: their names are the signer's."""
    return str(error).removeprefix("validation failed: ").partition(" (encountered")[0].partition("<")[0][:200]


def _verifier(roots: Sequence[x509.Certificate], now: datetime) -> verification.ClientVerifier:
    """Check validity, signatures, names and path lengths; of the extensions, what signing a card asks for.

    The rules of the web (names in the certificate, extended key usage) are not those of STIR (RFC 8226).
    """
    agnostic = verification.Criticality.AGNOSTIC
    authority = verification.ExtensionPolicy.permit_all()
    authority = authority.require_present(x509.BasicConstraints, agnostic, _is_authority)
    authority = authority.may_be_present(x509.KeyUsage, agnostic, _signs_certificates)
    signer = verification.ExtensionPolicy.permit_all()
    signer = signer.may_be_present(x509.BasicConstraints, agnostic, _is_no_authority)
    signer = signer.may_be_present(x509.KeyUsage, agnostic, _signs)
    builder = verification.PolicyBuilder().store(verification.Store(list(roots))).time(now)
    builder = builder.max_chain_depth(_MOST_BETWEEN).extension_policies(ca_policy=authority, ee_policy=signer)
    return builder.build_client_verifier()


def _is_authority(_: object, __: x509.Certificate, found: x509.BasicConstraints) -> None:
    if not found.ca:
        raise ValueError("it was signed by a certificate that is not an authority's")


def _is_no_authority(_: object, __: x509.Certificate, found: x509.BasicConstraints | None) -> None:
    if found is not None and found.ca:
        raise ValueError("it is an authority's, which signs certificates and no cards")


def _signs_certificates(_: object, __: x509.Certificate, found: x509.KeyUsage | None) -> None:
    if found is not None and not found.key_cert_sign:
        raise ValueError("it was signed with a key that may sign no certificates")


def _signs(_: object, __: x509.Certificate, found: x509.KeyUsage | None) -> None:
    if found is not None and not found.digital_signature:
        raise ValueError("its key may sign nothing")


def _signature_fault(text: bytes, signer: x509.Certificate) -> str | None:
    key = ECKey.import_key(signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    registry.max_header_length, registry.max_payload_length = _HEADER_BYTES, _PAYLOAD_BYTES
    try:
        jws.deserialize_compact(text.strip(), key, registry=registry)
    except (JoseError, ValueError):
        return "the signature of the card is not that of its signer"
    return None
