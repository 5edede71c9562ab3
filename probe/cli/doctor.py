"""`probe doctor`: a scenario's trunk, tested without ringing anyone."""

import argparse
import asyncio
import importlib.metadata
import platform
from datetime import UTC, datetime

from probe.agent.build import ask_build, describe, describe_tls
from probe.agent.preflight import Finding, inspect
from probe.cli.history import open_history
from probe.cli.main import FINE, UNTESTED
from probe.cli.outside import print_json, tell
from probe.cli.scenarios import load
from probe.errors import AgentError, StoreError
from probe.report.text import plain
from probe.scenario.dangers import dangers
from probe.trunk import Srtp, Trunk

_LIBRARIES = ("apscheduler", "httpx", "tenacity", "sqlalchemy", "phonenumbers")
_MARKS = {True: "ok  ", False: "FAIL", None: "    "}


def run(arguments: argparse.Namespace) -> int:
    """Test what a call would need, from the machine's own parts to the trunk's answer."""
    scenario = load(arguments.scenario)
    findings = (*_machine(scenario.trunk), _store(arguments), *asyncio.run(inspect(scenario.trunk)))
    for finding in findings:
        if arguments.json:
            print_json({"what": finding.what, "ok": finding.ok, "words": finding.words})
        else:
            tell(f"{_MARKS[finding.ok]}  {finding.what:<14}{plain(finding.words)}")
    return UNTESTED if any(finding.ok is False for finding in findings) else FINE


def _machine(trunk: Trunk) -> tuple[Finding, ...]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    return (
        Finding(what="python", ok=True, words=f"{platform.python_version()} on {platform.machine()}"),
        Finding(what="libraries", ok=True, words=versions),
        *_sip_stack(trunk),
        *(Finding(what="security", ok=None, words=danger) for danger in dangers(trunk)),
    )


def _sip_stack(trunk: Trunk) -> tuple[Finding, ...]:
    try:
        build = ask_build()
    except AgentError as error:
        return (Finding(what="sip stack", ok=False, words=str(error)),)
    tls = describe_tls(build, datetime.now(UTC).date())
    return (
        Finding(what="sip stack", ok=True, words=describe(build)),
        Finding(what="sip tls", ok=True, words=tls),
        _srtp(trunk, built_in=build.srtp),
    )


def _srtp(trunk: Trunk, *, built_in: bool) -> Finding:
    has = "built in" if built_in else "NOT built in; `make pjsua2` builds it"
    return Finding(what="srtp", ok=built_in or trunk.srtp is Srtp.OFF, words=f"{has}; the trunk has it {trunk.srtp}")


def _store(arguments: argparse.Namespace) -> Finding:
    try:
        open_history(arguments).close()
    except StoreError as error:
        return Finding(what="store", ok=False, words=str(error))
    return Finding(what="store", ok=True, words="can be opened and written")
