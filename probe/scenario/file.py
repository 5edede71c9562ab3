"""A scenario file in, a `Scenario` out; or ScenarioError with one sentence a mistake: file, line, key, what to do."""

import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath

from pydantic import ValidationError

from probe.errors import ScenarioError
from probe.event import Endpoint
from probe.expectation import Expectation
from probe.scenario.caller_file import FoundCaller, read_callers
from probe.scenario.file_format import (
    CallerTable,
    DestinationTable,
    ExpectTable,
    LimitsTable,
    ScenarioFile,
    ScheduleTable,
    TrunkTable,
    WebhookTable,
)
from probe.scenario.guard import on_loopback
from probe.scenario.mistakes import from_validation, line_of, sentences
from probe.scenario.notation import shown
from probe.scenario.scenario import Calendar, Caller, CardRules, Destination, Limits, Scenario, Schedule, Sends
from probe.scenario.yaml_text import (
    SECRETS,
    Mistake,
    MistakesError,
    Node,
    Path,
    Table,
    Text,
    at,
    plain,
    read_yaml,
)
from probe.trunk import Transport, Trunk

_LARGEST = 256 * 1024
_LARGEST_CSV = 4 * 1024 * 1024


def load_scenario(path: str | PurePath, environ: Mapping[str, str]) -> Scenario:
    """Read a scenario file; `${NAME}` is taken from `environ`.

    Raises ScenarioError for a file that cannot be read and for every mistake in it.
    """
    place = pathlib.Path(path)
    try:
        text = _read_file(place, _LARGEST)
    except OSError as error:
        raise ScenarioError(f"{place} cannot be read ({error.strerror}); check its name and rights.") from error
    except ValueError as error:
        raise ScenarioError(f"{place} {error}") from error
    return read_scenario(text, str(place), environ, lambda name: _read_file(place.parent / name, _LARGEST_CSV))


def read_scenario(text: str, source_name: str, environ: Mapping[str, str], read_csv: Callable[[str], str]) -> Scenario:
    """Read the text of a scenario file; `read_csv` gives the text of a file that it names.

    `read_csv` may raise OSError, and ValueError with the second half of a sentence.
    Raises ScenarioError, as `load_scenario` does.
    """
    try:
        return _read(text, source_name, environ, read_csv)
    except MistakesError as error:
        raise ScenarioError(sentences(source_name, error.mistakes)) from error


def _read_file(place: pathlib.Path, largest: int) -> str:
    with place.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"is larger than {largest // 1024} KiB; make it smaller.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8 on line {line}; save it as UTF-8.") from error


def _read(text: str, source: str, environ: Mapping[str, str], read_csv: Callable[[str], str]) -> Scenario:
    tree = read_yaml(text, environ)
    mistakes = [*_open_secrets(tree)]
    try:
        file = ScenarioFile.model_validate(plain(tree))
    except ValidationError as error:
        open_paths = {mistake.path for mistake in mistakes}
        mistakes += [mistake for mistake in from_validation(error, tree) if mistake.path not in open_paths]
        raise MistakesError(*mistakes) from error
    trunk = _trunk(file.trunk, tree, PurePath(source).parent)
    callers, found = _callers(file, tree, source, read_csv)
    mistakes += [*found, *_destination_mistakes(file, tree, callers), *_unlimited(file, trunk, tree)]
    cards = _card_rules(file, tree, read_csv)
    if isinstance(cards, Mistake):
        mistakes.append(cards)
    if mistakes or isinstance(cards, Mistake):
        raise MistakesError(*mistakes)
    return replace(_scenario(file, tree, source, trunk, callers), card_rules=cards)


def _open_secrets(tree: Node) -> Iterator[Mistake]:
    """Find secrets that stand in the file itself."""
    sentence = "is never written in the file; write ${NAME} and set NAME in the environment."
    for path in SECRETS:
        node = at(tree, path)
        if isinstance(node, Text) and "${" not in node.written:
            yield Mistake(node.line, path, f"is a secret, which {sentence}")
    url = at(tree, ("webhook", "url"))
    if isinstance(url, Text) and re.match(r"[^:]*://[^/?#]*:(?!\$\{)[^/?#]*@", url.written):
        yield Mistake(url.line, ("webhook", "url"), f"holds a password, which {sentence}")


def _callers(
    file: ScenarioFile, tree: Node, source: str, read_csv: Callable[[str], str]
) -> tuple[tuple[Caller, ...], list[Mistake]]:
    """Return the callers of the file and of its CSV files, and what is wrong with them."""
    callers: dict[str, Caller] = {}
    places: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for index, entry in enumerate(file.callers):
        for found in _entry(entry, line_of(tree, ("callers", index)), index, source, read_csv):
            if isinstance(found, Mistake):
                mistakes.append(found)
            elif (number := found.caller.number) in callers:
                mistakes.append(found.mistake(f'"{number}" stands {places[number]} already; take one of the two out.'))
            else:
                callers[number] = found.caller
                places[number] = found.place
    return tuple(callers.values()), mistakes


def _entry(
    entry: CallerTable, line: int, index: int, source: str, read_csv: Callable[[str], str]
) -> Iterator[FoundCaller | Mistake]:
    if entry.number is not None:
        yield FoundCaller(caller=_caller(entry, entry.number), line=line, path=("callers", index, "number"))
    if entry.file is None:
        return
    path: Path = ("callers", index, "file")
    try:
        text = read_csv(entry.file)
    except OSError as error:
        yield Mistake(line, path, f"{shown(entry.file)} cannot be read ({error.strerror}); check its name and rights.")
    except ValueError as error:
        yield Mistake(line, path, f"{shown(entry.file)} {error}")
    else:
        yield from read_callers(text, str(PurePath(source).parent / entry.file))


def _caller(entry: CallerTable, number: str) -> Caller:
    return Caller(
        number=number,
        label=entry.label,
        campaign=entry.campaign,
        lead_source=entry.lead_source,
        tags=tuple(dict.fromkeys(entry.tags)),
    )


def _destination_mistakes(file: ScenarioFile, tree: Node, callers: Iterable[Caller]) -> Iterator[Mistake]:
    lines: dict[str, int] = {}
    known = {caller.number for caller in callers} | {file.control}
    for index, destination in enumerate(file.destinations):
        path: Path = ("destinations", index, "number")
        line = line_of(tree, path)
        if destination.number in lines:
            sentence = f"stands on line {lines[destination.number]} already; take one of the two out."
            yield Mistake(line, path, f"{shown(destination.number)} {sentence}")
        lines.setdefault(destination.number, line)
        yield from _strangers(destination, ("destinations", index, "expect_from"), tree, known)


def _strangers(destination: DestinationTable, path: Path, tree: Node, known: set[str | None]) -> Iterator[Mistake]:
    """Find callers of `expect_from` that no call will ever have, or that stand there in two spellings."""
    line = line_of(tree, path)
    for number in destination.expect_from:
        if number not in known:
            yield Mistake(line, path, f"names {number}, which is no caller; list it under callers.")
    written = at(tree, path)
    if isinstance(written, Table) and len(written.values) > len(destination.expect_from):
        yield Mistake(line, path, "names one caller twice; take one of the two out.")


def _unlimited(file: ScenarioFile, trunk: Trunk, tree: Node) -> Iterator[Mistake]:
    if isinstance(file.limits, LimitsTable) or on_loopback(trunk):
        return
    path: Path = ("limits",)
    sentence = "is none, but the trunk or its proxy leads beyond this machine; write limits or take the key out."
    yield Mistake(line_of(tree, path), path, sentence)


def _scenario(file: ScenarioFile, tree: Node, source: str, trunk: Trunk, callers: tuple[Caller, ...]) -> Scenario:
    return Scenario(
        name=PurePath(source).stem,
        path=source,
        trunk=trunk,
        callers=callers,
        control=file.control,
        destinations=tuple(_destination(table) for table in file.destinations),
        ring_limit_ms=file.call.ring_limit,
        hold_ms=file.call.hold,
        limits=_limits(file.limits) if isinstance(file.limits, LimitsTable) else None,
        schedule=_schedule(file.schedule) if file.schedule else None,
        endpoint=_endpoint(file.webhook, tree) if file.webhook else None,
        sites=file.sites,
    )


def _trunk(table: TrunkTable, tree: Node, folder: PurePath) -> Trunk:
    return Trunk(
        name=table.name,
        host=table.uri.host,
        port=table.uri.port,
        transport=table.uri.transport or Transport.UDP,
        transport_given=table.uri.transport is not None,
        username=table.username,
        auth_username=table.auth_username,
        password=table.password,
        realm=table.realm,
        register=table.register_,
        outbound_proxy=table.outbound_proxy,
        identity=table.identity,
        from_domain=table.from_domain,
        headers=tuple(table.headers.items()),
        secret_headers=tuple(_secret_headers(tree)),
        lines=table.lines,
        calls_per_second=table.calls_per_second,
        tls_verify=table.tls.verify,
        tls_ca_file=_beside(folder, table.tls.ca_file),
        tls_cert_file=_beside(folder, table.tls.cert_file),
        tls_key_file=_beside(folder, table.tls.key_file),
        srtp=table.srtp,
        bind=table.bind,
        public_address=table.nat.public_address,
        stun=table.nat.stun,
        keep_alive_s=table.nat.keep_alive // 1000,
        nameservers=table.nameservers,
    )


def _secret_headers(tree: Node) -> Iterator[str]:
    """Name the headers whose values come from outside the file: they may be secrets."""
    headers = at(tree, ("trunk", "headers"))
    for name, value in headers.values.items() if isinstance(headers, Table) else ():
        if isinstance(value, Text) and value.written != value.value:
            yield name


def _beside(folder: PurePath, name: str | None) -> str | None:
    """Find a file that the scenario names from the scenario's own folder."""
    return str(folder / name) if name else None


def _destination(table: DestinationTable) -> Destination:
    return Destination(
        number=table.number,
        consent=table.consent,
        network=table.network,
        timezone=table.timezone,
        expect=_expectation(table.expect) if table.expect is not None else None,
        expect_from={number: _expectation(expect) for number, expect in table.expect_from.items()},
        sends=Sends(phrase=table.sends.phrase, reason=table.sends.reason) if table.sends else None,
    )


def _expectation(written: str | tuple[str, ...] | ExpectTable) -> Expectation:
    if isinstance(written, ExpectTable):
        return Expectation(
            any_of=_names(written.disposition), none_of=_names(written.not_), max_final_ms=written.max_final_ms
        )
    return Expectation(any_of=_names(written))


def _names(written: str | tuple[str, ...] | None) -> frozenset[str]:
    return frozenset([written] if isinstance(written, str) else written or ())


def _limits(table: LimitsTable) -> Limits:
    given = {name: getattr(table, name) for name in table.model_fields_set}
    return replace(Limits(), **given)


def _schedule(table: ScheduleTable) -> Schedule:
    return Schedule(
        cron=table.cron,
        every_s=table.every // 1000 if table.every is not None else None,
        calendar=Calendar(**dict(table.calendar)) if table.calendar else None,
        timezone=table.timezone,
        jitter_s=table.jitter // 1000,
        retest_s=table.retest // 1000 if table.retest is not None else None,
    )


def _card_rules(file: ScenarioFile, tree: Node, read_file: Callable[[str], str]) -> CardRules | Mistake | None:
    if file.jcard is None:
        return None
    path: Path = ("jcard", "roots")
    name, line = shown(file.jcard.roots), line_of(tree, path)
    try:
        roots = read_file(file.jcard.roots)
    except OSError as error:
        return Mistake(line, path, f"{name} cannot be read ({error.strerror}); check its name and rights.")
    except ValueError as error:
        return Mistake(line, path, f"{name} {error}")
    if "-----BEGIN CERTIFICATE-----" not in roots:
        return Mistake(line, path, f"{name} holds no certificate; write at least one there, as PEM.")
    return CardRules(roots=roots, private_networks=file.jcard.private_networks)


def _endpoint(table: WebhookTable, tree: Node) -> Endpoint:
    written = at(tree, ("webhook", "url"))
    assert isinstance(written, Text)
    return Endpoint(
        name=written.written,
        url=table.url,
        secret=table.secret,
        types=frozenset(table.events),
        remind_every_s=table.remind_every // 1000 if table.remind_every is not None else None,
        private_networks=table.private_networks,
    )
