"""Authorities, signers and cards of 608s, made in the test; and web servers on loopback that show them."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
# A vector of our own whose signature does verify; the one printed in RFC 8688 does not.
VECTOR = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InZjYXJkK2pzb24iLCJ4NXUiOiJodHRwczovL2NlcnRzLmV4YW1wbGUubmV0L3JlamVjdF9rZXkuY2VyIn0."
    "eyJpYXQiOjE3OTAwMDAwMDAsImpjYXJkIjpbInZjYXJkIixbWyJ2ZXJzaW9uIix7fSwidGV4dCIsIjQuMCJdLFsiZm4iLHt9LCJ0ZXh0IiwiUm9i"
    "b2NhbGwgQWRqdWRpY2F0aW9uIl0sWyJ0ZWwiLHsidHlwZSI6IndvcmsifSwidXJpIiwidGVsOisxLTIwMi01NTUtMDE0MiJdLFsidXJsIix7InR5"
    "cGUiOiJ3b3JrIn0sInVyaSIsImh0dHBzOi8vYmxvY2suZXhhbXBsZS5uZXQvcmVkcmVzcyJdXV19."
    "7BLwIYUadeP14O2hnIUnBkyXLhH83A-2ybC1UZRJMUteE6SVkGLmN4wFEbHaVUWfHKQa_IncwFupp5HBoFn4SQ"
)
CONTACTS = (
    ["fn", {}, "text", "Robocall Adjudication"],
    ["tel", {"type": "work"}, "uri", "tel:+1-202-555-0142"],
    ["url", {"type": "work"}, "uri", "https://block.example.net/redress"],
)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certify(  # noqa: PLR0913 - what a certificate says
    name: str,
    issuer: Holder | None = None,
    *,
    ca: bool | None = None,
    path_length: int | None = None,
    at: datetime = NOW,
    days: int = 30,
    key: object = None,
    public_key: object = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> Holder:
    """Issue a certificate; without an issuer it signs itself. `days` below 0: it has ended. Valid since a month ago."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(f"CN={name}")
    signer, signed_by = (issuer.certificate.subject, issuer.key) if issuer else (subject, key)
    start, end = at - timedelta(days=30), at + timedelta(days=days)
    public = public_key or key.public_key()
    made = x509.CertificateBuilder(signer, subject, public, x509.random_serial_number(), start, end)
    if ca is not None:
        made = made.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    for extension, critical in extensions:
        made = made.add_extension(extension, critical)
    return Holder(made.sign(signed_by, hashes.SHA256()), None if public_key else key)


def usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**dict.fromkeys(names, False) | allowed)


def encoded(part: bytes | dict[str, object]) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(signer: Holder, header: dict[str, object], payload: dict[str, object] | bytes) -> bytes:
    """Sign as ES256 does (RFC 7518 s3.4: r and s, 32 bytes each), without the library that checks it."""
    text = f"{encoded(header)}.{encoded(payload)}"
    r, s = decode_dss_signature(signer.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{encoded(r.to_bytes(32) + s.to_bytes(32))}".encode()


def card(
    signer: Holder, x5u: str = "https://certs.example.net/key.pem", *, at: datetime = NOW, **header: object
) -> bytes:
    """A card that nothing is wrong with, but for what `header` says otherwise."""
    head = {"alg": "ES256", "typ": "vcard+json", "x5u": x5u} | header
    rows = [["version", {}, "text", "4.0"], *CONTACTS]
    return signed(signer, head, {"iat": int(at.timestamp()), "jcard": ["vcard", rows]})


@dataclass
class Web:
    """`pages` are what stands at a path: bytes, a function of the handler, or a status with headers and bytes."""

    pages: dict[str, object] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextmanager
def serving(holder: Holder | None, folder: Path, address: str = "127.0.0.1", port: int = 0) -> Iterator[Web]:
    """Serve pages on loopback, by https if the holder of a certificate is given."""
    web = Web()
    server = ThreadingHTTPServer((address, port), _pages_of(web))
    server.handle_error = lambda *_: None  # a client that goes away is what many tests are about
    server.daemon_threads = True
    if holder:
        file = folder / f"{holder.certificate.serial_number}.pem"
        file.write_bytes(holder.pem + holder.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.sni_callback = lambda _, name, __: web.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.gone.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _pages_of(web: Web) -> type[BaseHTTPRequestHandler]:
    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            web.asked.append((self.path, self.headers["host"]))
            page = web.pages.get(self.path, (404, {}, b""))
            if callable(page):
                page(self)
                self.close_connection = True
                return
            status, headers, body = (200, {}, page) if isinstance(page, bytes) else page
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Pages


def web_holder(authority: Holder, *names: str, at: datetime | None = None) -> Holder:
    """A certificate of a web server for these names and addresses."""
    return certify("web", authority, at=at or datetime.now(UTC), extensions=((_alternative_names(names), False),))


def _alternative_names(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names]
    )
