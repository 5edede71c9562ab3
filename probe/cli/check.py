"""`probe check`: every call of the scenarios once, now, held against their expectations."""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta

from probe.cli.cards import read_cards
from probe.cli.history import new_id
from probe.cli.main import FINDING, FINE, GUARDED, worst
from probe.cli.outside import now, page_width, print_json, print_lines, require_place, say, tell, write_file
from probe.cli.placing import deliver, exit_code, open_site, would_refuse
from probe.cli.scenarios import load
from probe.documents import call_document
from probe.errors import ScenarioError
from probe.judged import JudgedCall
from probe.report.github import annotations, damage_annotations
from probe.report.junit import junit
from probe.report.lines import as_text
from probe.report.notices import complaints
from probe.report.standings import standings_table
from probe.report.survival import Survived, survival_table, survived
from probe.report.tables import calls_table, summary, what_happened
from probe.rounds import Plan, RoundResult, run_round
from probe.scenario.guard import allowed_by
from probe.scenario.plan import matrix
from probe.scenario.scenario import Scenario

_SHORTEST_WAIT_S = 0.05


def run(arguments: argparse.Namespace) -> int:
    """Check each scenario in turn; print the tables and give the worst exit code."""
    scenarios = [_chosen(load(path), arguments.only) for path in arguments.scenarios]
    if arguments.dry_run:
        return worst([_print_plan(arguments, scenario) for scenario in scenarios])
    require_place("--junit", arguments.junit)
    checked = _check_all(arguments, scenarios)
    calls = [call for _, result in checked for call in result.calls]
    compared = [one for scenario, result in checked for one in survived(scenario, result.calls)]
    a_round = sum(len(scenario.callers) * len(scenario.destinations) for scenario in scenarios)
    planned = a_round * arguments.repeat
    if arguments.json:
        sys.stderr.write(as_text(survival_table(compared, width=None)))
    else:
        _print_tables([result for _, result in checked], calls, compared)
    if arguments.junit:
        write_file(arguments.junit, junit(calls, planned=planned, compared=compared))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for annotation in (*annotations(calls), *damage_annotations(compared)):
            say(annotation)
    if len(calls) < planned:
        say(f"{planned - len(calls)} of {planned} planned calls were not placed.")
    return worst([exit_code(calls, planned), *(FINDING for one in compared if one.is_finding)])


def _chosen(scenario: Scenario, tag: str | None) -> Scenario:
    if tag is None:
        return scenario
    callers = tuple(caller for caller in scenario.callers if tag in caller.tags)
    if not callers:
        raise ScenarioError(
            f"{scenario.path} has no caller with the tag {tag!r}; give one the tag, or leave --only out."
        )
    return dataclasses.replace(scenario, callers=callers)


def _check_all(arguments: argparse.Namespace, scenarios: list[Scenario]) -> list[tuple[Scenario, RoundResult]]:
    """Check one after the other; a round that was stopped is the last."""
    checked: list[tuple[Scenario, RoundResult]] = []
    for scenario in [scenario for _ in range(arguments.repeat) for scenario in scenarios]:
        result = asyncio.run(_check(arguments, scenario))
        checked.append((scenario, result))
        if len(result.calls) < result.planned:
            break
    return checked


async def _check(arguments: argparse.Namespace, scenario: Scenario) -> RoundResult:
    cards = read_cards(scenario.card_rules)
    async with open_site(arguments, scenario.trunk, allowed_by(scenario), scenario.endpoint) as site:
        round_id = new_id()
        plan = Plan(id=round_id, scenario=scenario.name, requests=matrix(scenario, round_id, new_id))
        road = dataclasses.replace(site.road, wait_until=_patience(arguments.max_wait, site.stopping), cards=cards)
        with _progress(scenario.name, len(plan.requests)) as show:
            result = await run_round(plan, road, stopping=site.stopping, on_call=_teller(arguments, show))
        await deliver(site)
        return result


def _patience(seconds: float, stopping: asyncio.Event) -> Callable[[datetime], Awaitable[bool]]:
    deadline = now() + timedelta(seconds=seconds)

    async def wait_until(moment: datetime) -> bool:
        """Wait for a moment that comes before the patience ends, unless told to stop."""
        if moment > deadline or stopping.is_set():
            return False
        try:
            await asyncio.wait_for(stopping.wait(), max((moment - now()).total_seconds(), _SHORTEST_WAIT_S))
        except TimeoutError:
            return True
        return False

    return wait_until


def _teller(arguments: argparse.Namespace, show: Callable[[JudgedCall], None]) -> Callable[[JudgedCall], None]:
    def tell(judged: JudgedCall) -> None:
        show(judged)
        if arguments.json:
            print_json(call_document(judged).plain())

    return tell


@contextlib.contextmanager
def _progress(name: str, planned: int) -> Iterator[Callable[[JudgedCall], None]]:
    """Tell how far the round is: a bar on a terminal, a line a call elsewhere."""
    if not sys.stderr.isatty():
        done = iter(range(1, planned + 1))
        yield lambda judged: say(f"{name} {next(done)}/{planned}  {_in_a_line(judged)}")
        return
    from rich.console import Console  # noqa: PLC0415 - rich is heavy, and a pipe has no use for it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    # By itself rich takes what the network says for its own markup: colours, links, and an error that ends the check.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=planned)
        yield lambda judged: bar.update(task, advance=1, description=f"{name}  {_in_a_line(judged)}")


def _in_a_line(judged: JudgedCall) -> str:
    request = judged.record.request
    return f"{request.caller} -> {request.callee}  {judged.verdict.disposition}  {what_happened(judged)}"


def _print_tables(results: list[RoundResult], calls: list[JudgedCall], compared: list[Survived]) -> None:
    width = page_width()
    standings = [standing for result in results for standing in result.standings]
    planned = sum(result.planned for result in results)
    print_lines(calls_table(sorted(calls, key=_by_numbers), width=width))
    print_lines([(), summary(calls, planned=planned, width=width), ()])
    print_lines(standings_table(standings, width=width))
    print_lines([(), *complaints(calls, width=width)])
    if compared:
        print_lines([(), *survival_table(compared, width=width)])


def _by_numbers(judged: JudgedCall) -> tuple[str, str]:
    return judged.record.request.caller, judged.record.request.callee


def _print_plan(arguments: argparse.Namespace, scenario: Scenario) -> int:
    allowed = allowed_by(scenario)
    codes = []
    for request in matrix(scenario, "dry-run", new_id):
        refusal = would_refuse(arguments, request, allowed)
        why = refusal.why if refusal else None
        codes.append(GUARDED if refusal else FINE)
        if arguments.json:
            print_json({"caller": request.caller, "callee": request.callee, "trunk": request.trunk, "refused": why})
        else:
            tell(f"{'would not dial' if refusal else 'would dial'} {request.callee} from {request.caller} {why or ''}")
    return worst(codes)
