"""Which build of the SIP library is installed, what it can do, and how old its TLS is.

Asked of a process of its own: the library may abort the one that it is loaded into.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime

from probe.errors import AgentError
from probe.stack import Build, Limits

_ASK = """
import dataclasses, json, os
from probe.pjsip import read_build
from probe.stack import Account, Setup
out = os.dup(1)  # the library prints on fd 1
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
build = read_build(Setup(bind="127.0.0.1", media_bind="127.0.0.1"), Account(uri="sip:probe@localhost"))
os.write(out, json.dumps(dataclasses.asdict(build)).encode())
os._exit(0)
"""
_PATIENCE_S = 30
_DATE = re.compile(r"(\d{1,2}) ([A-Z][a-z]{2}) (\d{4})")
_DAYS_A_YEAR = 365.25
_WITHOUT_TLS_1_3 = re.compile(r"OpenSSL (?:0|1\.0|1\.1\.0)")
_ENDS = (("OpenSSL 1.0", "2019"), ("OpenSSL 1.1.1", "2023"))
"""The year with which the security fixes of a version ended (openssl-library.org, releases)."""


def ask_build() -> Build:
    """Ask the installed library. AgentError if it cannot be loaded."""
    command = [sys.executable, "-c", _ASK]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise AgentError(f"The SIP library does not start within {_PATIENCE_S} s.") from error
    if answer.returncode != 0:
        why = (answer.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise AgentError(f"The SIP library cannot be loaded: {why}.")
    found = json.loads(answer.stdout)
    return Build(**found | {"limits": Limits(**found["limits"])})


def describe(build: Build) -> str:
    """Say in a line what the build is and what it can do in one process."""
    limits = build.limits
    return (
        f"pjsua2 {build.version}, {'native build' if build.native else 'wheel'}: {limits.calls:,} calls a process, "
        f"{limits.starts_per_second:,.0f} call starts a second, messages up to {limits.message_bytes:,} bytes"
    )


def describe_tls(build: Build, today: date) -> str:
    """Say in a line which TLS library the build has, of when it is, and what it lacks."""
    if not build.tls:
        return "the library does not say which TLS library it has"
    best = "TLS 1.2 at most" if _WITHOUT_TLS_1_3.match(build.tls) else "TLS 1.3"
    ended = next((f"; no security fixes since {year}" for name, year in _ENDS if build.tls.startswith(name)), "")
    return f"{_dated(build.tls, today)}, {best}{ended}"


def _dated(tls: str, today: date) -> str:
    found = _DATE.search(tls)
    if found is None:
        return tls
    made = datetime.strptime(found[0], "%d %b %Y").replace(tzinfo=UTC).date()
    years = (today - made).days / _DAYS_A_YEAR
    return f"{tls[: found.start()]}of {made}, {years:.1f} years old"
