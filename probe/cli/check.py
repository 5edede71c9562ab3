"""`probe check`: every call of the scenarios once, now, held against their expectations."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from probe.cli.history import new_id
from probe.cli.main import FINE, GUARDED, worst
from probe.cli.outside import page_width, print_json, print_lines, say
from probe.cli.placing import deliver, exit_code, open_site
from probe.documents import call_document
from probe.errors import ScenarioError
from probe.judged import JudgedCall
from probe.report.junit import junit
from probe.report.notices import complaints
from probe.report.standings import standings_table
from probe.report.tables import calls_table, summary, what_happened
from probe.rounds import Plan, RoundResult, run_round
from probe.scenario import load_scenario
from probe.scenario.guard import allowed_by, check
from probe.scenario.plan import matrix
from probe.scenario.scenario import Scenario


def run(arguments: argparse.Namespace) -> int:
    """Check each scenario in turn; print the tables and give the worst exit code."""
    scenarios = [load_scenario(path, os.environ) for path in arguments.scenarios]
    if arguments.dry_run:
        return worst([_print_plan(scenario, as_json=arguments.json) for scenario in scenarios])
    results = [asyncio.run(_check(arguments, scenario)) for scenario in scenarios]
    calls = [call for result in results for call in result.calls]
    planned = sum(result.planned for result in results)
    if arguments.junit:
        _write(Path(arguments.junit), junit(calls, planned=planned))
    if not arguments.json:
        _print_tables(results, calls)
    if len(calls) < planned:
        say(f"{planned - len(calls)} of {planned} planned calls were not placed.")
    return exit_code(calls, planned)


async def _check(arguments: argparse.Namespace, scenario: Scenario) -> RoundResult:
    async with open_site(arguments, scenario.trunk, allowed_by(scenario), scenario.endpoint) as site:
        round_id = new_id()
        plan = Plan(id=round_id, scenario=scenario.name, requests=matrix(scenario, round_id, new_id))
        with _progress(scenario.name, len(plan.requests)) as show:
            result = await run_round(plan, site.road, stopping=site.stopping, on_call=_teller(arguments, show))
        await deliver(site)
        return result


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
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=planned)
        yield lambda judged: bar.update(task, advance=1, description=f"{name}  {_in_a_line(judged)}")


def _in_a_line(judged: JudgedCall) -> str:
    request = judged.record.request
    return f"{request.caller} -> {request.callee}  {judged.verdict.disposition}  {what_happened(judged)}"


def _print_tables(results: list[RoundResult], calls: list[JudgedCall]) -> None:
    width = page_width()
    standings = [standing for result in results for standing in result.standings]
    planned = sum(result.planned for result in results)
    print_lines(calls_table(calls, width=width))
    print_lines([(), summary(calls, planned=planned, width=width), ()])
    print_lines(standings_table(standings, width=width))
    print_lines([(), *complaints(calls, width=width)])


def _print_plan(scenario: Scenario, *, as_json: bool) -> int:
    allowed = allowed_by(scenario)
    codes = []
    for request in matrix(scenario, "dry-run", new_id):
        refusal = check(request, allowed=allowed)
        why = refusal.why if refusal else None
        codes.append(GUARDED if refusal else FINE)
        if as_json:
            print_json({"caller": request.caller, "callee": request.callee, "trunk": request.trunk, "refused": why})
        else:
            print(f"{'would not dial' if refusal else 'would dial'} {request.callee} from {request.caller} {why or ''}")
    return worst(codes)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ScenarioError(f"{path} cannot be written ({error.strerror}).") from error
