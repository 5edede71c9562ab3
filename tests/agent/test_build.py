"""What the installed build of the library says of itself, and how that is told."""

import dataclasses
import subprocess
import sys
from datetime import date

import pytest

from probe.agent.build import ask_build, describe, describe_tls
from probe.errors import AgentError
from probe.stack import Build, Limits

WHEEL = Limits(calls=4, starts_per_second=40, message_bytes=3_750)
NATIVE = Limits(calls=2_048, starts_per_second=4_080, message_bytes=65_536)
OLD = Build(native=False, version="2.15.1", limits=WHEEL, tls="OpenSSL 1.0.2k-fips 26 Jan 2017", srtp=True)
NEW = Build(native=True, version="2.17", limits=NATIVE, tls="OpenSSL 3.0.19 27 Jan 2026", srtp=True)
LARGEST = "messages up to 65,536 bytes"
TODAY = date(2026, 11, 22)


def test_the_limits_are_those_that_the_library_was_compiled_for(build: Build):
    assert (NATIVE if build.native else WHEEL) == build.limits


def test_the_tls_library_is_the_one_that_is_linked_in(build: Build):
    assert build.tls.startswith("OpenSSL 3." if build.native else "OpenSSL 1.0.2k")


def test_few_open_files_leave_room_for_few_calls(build: Build):
    """A call has two sockets, which outlive it; a hundred files are room for 25 calls and their starts."""
    ask = (
        "import resource, dataclasses\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "from probe.agent.build import ask_build\n"
        "limits = ask_build().limits\n"
        "print(limits.calls, limits.starts_per_second)\n"
    )
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert f"{min(build.limits.calls, 25)} {34.0 if build.native else 40.0}" == told.stdout.strip()


def test_a_library_that_is_not_there_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    absent = "import sys; sys.modules['pjsua2'] = None; import probe.pjsip"
    monkeypatch.setattr("probe.agent.build._ASK", absent)
    with pytest.raises(AgentError) as told:
        ask_build()
    assert (
        "The SIP library cannot be loaded: ModuleNotFoundError: "
        "pjsua2 is not installed; `make pjsua2` builds it for this Python." == str(told.value)
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (OLD, "pjsua2 2.15.1, wheel: 4 calls a process, 40 call starts a second, messages up to 3,750 bytes"),
        (NEW, "pjsua2 2.17, native build: 2,048 calls a process, 4,080 call starts a second, " + LARGEST),
    ],
)
def test_a_build_is_described_by_what_it_can_do(told: Build, words: str):
    assert words == describe(told)


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (
            "OpenSSL 1.0.2k-fips 26 Jan 2017",
            "OpenSSL 1.0.2k-fips of 2017-01-26, 9.8 years old, TLS 1.2 at most; no security fixes since 2019",
        ),
        ("OpenSSL 3.0.19 27 Jan 2026", "OpenSSL 3.0.19 of 2026-01-27, 0.8 years old, TLS 1.3"),
        (
            "OpenSSL 1.1.1w 11 Sep 2023",
            "OpenSSL 1.1.1w of 2023-09-11, 3.2 years old, TLS 1.3; no security fixes since 2023",
        ),
        ("OpenSSL 4.0-dev", "OpenSSL 4.0-dev, TLS 1.3"),
        ("", "the library does not say which TLS library it has"),
    ],
)
def test_the_tls_library_is_told_with_its_age(tls: str, words: str):
    assert words == describe_tls(dataclasses.replace(NEW, tls=tls), TODAY)
