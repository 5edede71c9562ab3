"""The redress values of a notice in, their flaws out: contacts to mistrust (ATIS-1000099, RFC 8688 s6).

Nothing is opened, called or resolved here: a value is judged by its text alone. Blockers repeat themselves, so what
was judged is kept.
"""

import re
from functools import lru_cache

from probe.phone import is_premium

# Of the host only a plain name passes: no user, no brackets. The rest is visible ASCII without what RFC 3986 leaves out
# of a URI. A control character is a trap when percent-encoded, too.
_URL = re.compile(
    r"https://([a-z0-9.-]{1,254}+)(?::0*[1-9][0-9]{0,4})?(?:[/?#][!#-;=?-\[\]_a-z~]{0,2048})?", re.IGNORECASE
)
_ESCAPED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOP_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TEL = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"([A-Za-z0-9!#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$&'*+/=?^_`{|}~-]+)*)@([A-Za-z0-9.-]+)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOST_LENGTH = 253
_MAILBOX_LENGTH = 64

# Top labels that no public DNS serves (RFC 6761, RFC 6762, RFC 8375, RFC 7686) or that private networks use.
_PRIVATE = frozenset(
    {"arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "onion"}
    | {"private", "test"}
)


@lru_cache(maxsize=4096)
def url_flaw(value: str) -> str | None:
    """A redress URL is https and its host a public name."""
    return None if is_public_https(value) else "bad_redress_url"


def tel_flaw(value: str) -> str | None:
    """A redress number is a global E.164 number; one that costs the caller a premium is named as such."""
    if not _TEL.fullmatch(value):
        return "bad_redress_tel"
    return "premium_redress_tel" if is_premium(value) else None


@lru_cache(maxsize=4096)
def email_flaw(value: str) -> str | None:
    """A redress address is a plain one, without percent-escapes, comments or quotes."""
    address = _EMAIL.fullmatch(value)
    valid = address and len(address[1]) <= _MAILBOX_LENGTH and _is_public_name(address[2])
    return None if valid else "bad_redress_email"


def id_flaw(value: str) -> str | None:
    """The blocker's reference has letters, digits, `_` and `-`, at most 64."""
    return None if _ID.fullmatch(value) else "bad_id"


def is_public_https(value: str) -> bool:
    """Say whether a URI is https, without user or trap, at a host name that the public DNS may know."""
    url = _URL.fullmatch(value)
    return bool(url and not _ESCAPED_CONTROL.search(value) and _is_public_name(url[1].removesuffix(".")))


def _is_public_name(host: str) -> bool:
    """A name of two labels or more; the last is never a number, so an address in any notation is none."""
    labels = host.lower().split(".")
    if len(labels) == 1 or len(host) > _HOST_LENGTH or labels[-1] in _PRIVATE or not _TOP_LABEL.fullmatch(labels[-1]):
        return False
    return all(_LABEL.fullmatch(label) for label in labels)
