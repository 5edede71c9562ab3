"""The body of `probe call`: arguments in, one guarded call placed, its outcome told."""

import argparse
import asyncio
import dataclasses
import importlib
import os
import subprocess

from probe.call import CallRequest
from probe.cli.cards import read_cards
from probe.cli.history import new_id
from probe.cli.main import FINE, GUARDED, UNTESTED
from probe.cli.outside import page_width, print_json, print_lines, require_place, say, tell, write_file
from probe.cli.placing import deliver, exit_code, open_site, would_refuse
from probe.errors import ScenarioError
from probe.event import Endpoint
from probe.expectation import DISPOSITIONS, Expectation
from probe.judged import JudgedCall
from probe.phone import barred, normalise
from probe.rounds import add_card, place_call
from probe.scenario.guard import Allowed, allowed_by, on_loopback
from probe.scenario.plan import plan_key
from probe.scenario.scenario import Caller, CardRules, Destination, Limits, Scenario
from probe.scenario.trunk_uri import trunk_from_uri
from probe.trunk import Trunk


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    request: CallRequest
    trunk: Trunk
    allowed: Allowed
    endpoint: Endpoint | None
    card_rules: CardRules | None


def place_one(arguments: argparse.Namespace, first: "subprocess.Popen[bytes] | None") -> int:
    """Place the call, print what came of it, and say by the exit code whether it is as expected."""
    wanted = _read(arguments)
    if arguments.dry_run:
        return _print_plan(arguments, wanted)
    require_place("--pcap", arguments.pcap)
    judged = asyncio.run(_place(arguments, wanted, first))
    if judged is None:
        return UNTESTED
    if arguments.json:
        from probe.documents import call_document  # noqa: PLC0415 - this and the next two: no call waits for its report

        print_json(call_document(judged).plain())
    else:
        from probe.report.show import outcome  # noqa: PLC0415

        print_lines(outcome(judged, width=page_width()))
    if arguments.pcap:
        from probe.report.pcap import write_pcap  # noqa: PLC0415

        write_file(arguments.pcap, write_pcap(judged.record))
    return exit_code([judged], 1)


async def _place(
    arguments: argparse.Namespace, wanted: _Wanted, first: "subprocess.Popen[bytes] | None"
) -> JudgedCall | None:
    async with open_site(arguments, wanted.trunk, wanted.allowed, wanted.endpoint, first) as site:
        placing = asyncio.create_task(place_call(wanted.request, site.road))
        await asyncio.to_thread(_load_the_rest)
        judged = await placing
        if judged is not None:
            judged = await add_card(judged, dataclasses.replace(site.road, cards=read_cards(wanted.card_rules)))
        await deliver(site)
        return judged


def _load_the_rest() -> None:
    """Load, while the phone rings, what tells of the call: no stop or answer has to wait for it."""
    for name in ("probe.documents", "probe.report.show", "probe.webhook.delivery"):
        importlib.import_module(name)


def _read(arguments: argparse.Namespace) -> _Wanted:
    scenario = _load(arguments.scenario) if arguments.scenario else None
    trunk = _trunk(arguments, scenario)
    caller = _number(arguments.caller, "--from")
    callee = arguments.callee if barred(arguments.callee) else _number(arguments.callee, "CALLEE")
    listed = allowed_by(scenario) if scenario else _allowed_over(trunk)
    return _Wanted(
        request=_request(arguments, scenario, trunk, caller, callee),
        trunk=trunk,
        # Whoever names a caller ID on the command line says with it that it is his.
        allowed=dataclasses.replace(listed, callers=listed.callers | {caller}, consent=arguments.consent),
        endpoint=scenario.endpoint if scenario else None,
        card_rules=scenario.card_rules if scenario else None,
    )


def _load(path: str) -> Scenario:
    from probe.cli.scenarios import load  # noqa: PLC0415 - what reads files is heavy; --trunk-uri has no use for it

    return load(path)


def _allowed_over(trunk: Trunk) -> Allowed:
    """Say what holds for a trunk that no scenario describes: what stays on this machine needs no limits."""
    on_this_machine = on_loopback(trunk)
    return Allowed(limits=None if on_this_machine else Limits(), trunk_on_loopback=on_this_machine)


def _trunk(arguments: argparse.Namespace, scenario: Scenario | None) -> Trunk:
    password = None
    if arguments.password_env is not None:
        password = os.environ.get(arguments.password_env)
        if password is None:
            raise ScenarioError(f"--password-env: the environment variable {arguments.password_env} is not set.")
    if scenario is None:
        return trunk_from_uri(arguments.trunk_uri, username=arguments.username, password=password)
    changes = {"username": arguments.username, "password": password}
    return dataclasses.replace(scenario.trunk, **{name: value for name, value in changes.items() if value is not None})


def _request(
    arguments: argparse.Namespace, scenario: Scenario | None, trunk: Trunk, caller: str, callee: str
) -> CallRequest:
    destination, known = _listed(scenario, callee), _known(scenario, caller)
    call_id = new_id()
    name = scenario.name if scenario else None
    ring_limit_ms, hold_ms = (scenario.ring_limit_ms, scenario.hold_ms) if scenario else (25_000, 6_000)
    return CallRequest(
        id=call_id,
        plan_key=plan_key(name or "", caller, callee, call_id),
        trunk=trunk.name,
        caller=caller,
        callee=callee,
        consent=arguments.consent or (destination.consent if destination else None),
        scenario=name,
        network=arguments.network or (destination.network if destination else None),
        label=known.label,
        campaign=known.campaign,
        lead_source=known.lead_source,
        tags=known.tags,
        timezone=destination.timezone if destination else None,
        ring_limit_ms=int(arguments.ring_limit * 1000) if arguments.ring_limit else ring_limit_ms,
        hold_ms=int(arguments.hold * 1000) if arguments.hold else hold_ms,
        expect=_expectation(arguments.expect) or (_expected(destination, caller) if destination else None),
    )


def _listed(scenario: Scenario | None, callee: str) -> Destination | None:
    destinations = scenario.destinations if scenario else ()
    return next((destination for destination in destinations if destination.number == callee), None)


def _known(scenario: Scenario | None, caller: str) -> Caller:
    callers = scenario.callers if scenario else ()
    return next((one for one in callers if one.number == caller), Caller(number=caller))


def _expected(destination: Destination, caller: str) -> Expectation | None:
    return destination.expect_from.get(caller, destination.expect)


def _expectation(text: str | None) -> Expectation | None:
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(","))
    if unknown := names - set(DISPOSITIONS):
        raise ScenarioError(f"--expect: {min(unknown)!r} is no disposition; the names are {', '.join(DISPOSITIONS)}.")
    return Expectation(any_of=names)


def _number(text: str, where: str) -> str:
    number = normalise(text)
    if number is None:
        raise ScenarioError(f"{where}: {text!r} is not a phone number; write it as +12025550199.")
    return number


def _print_plan(arguments: argparse.Namespace, wanted: _Wanted) -> int:
    refusal = would_refuse(arguments, wanted.request, wanted.allowed)
    request = wanted.request
    why = refusal.why if refusal else None
    if arguments.json:
        document = {"caller": request.caller, "callee": request.callee, "trunk": request.trunk, "refused": why}
        print_json(document)
    elif refusal:
        say(f"would not dial: {why}")
    else:
        tell(f"would dial {request.callee} from {request.caller} over {wanted.trunk.uri}")
    return GUARDED if refusal else FINE
