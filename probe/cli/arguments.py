"""What can be said on the command line. Nothing heavy is imported here: `probe --help` is to be quick."""

import argparse
from collections.abc import Callable

from probe import __version__

Add = Callable[[argparse.ArgumentParser], None]

_EPILOG = """exit codes: 0 as expected; 1 a finding; 2 your mistake (usage, file);
3 could not test; 4 a guard rail refused. "Not run" is never success."""


def parser() -> argparse.ArgumentParser:
    """Build the parser; `command` in its result names the module that carries the command out."""
    top = argparse.ArgumentParser(
        prog="probe",
        description="Finds out which of your phone numbers get through, which are blocked, by whom, "
        "and where to complain.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"probe {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (words, add) in _COMMANDS.items():
        add(commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".", allow_abbrev=False))
    return top


def _call(command: argparse.ArgumentParser) -> None:
    command.add_argument("callee", metavar="CALLEE", help="the number to ring, such as +12025550199")
    command.add_argument("--from", dest="caller", required=True, metavar="CALLER", help="the caller ID under test")
    trunk = command.add_mutually_exclusive_group(required=True)
    trunk.add_argument("--scenario", metavar="FILE", help="take the trunk, limits and destinations from this file")
    trunk.add_argument("--trunk-uri", metavar="SIP-URI", help="such as sip:sbc.example.com:5061;transport=tls")
    command.add_argument("--username", help="for digest authentication; may differ from the caller ID")
    command.add_argument("--password-env", metavar="NAME", help="the environment variable that holds the password")
    command.add_argument("--ring-limit", type=_seconds, metavar="SECONDS", help="send CANCEL after so long (25)")
    command.add_argument("--hold", type=_seconds, metavar="SECONDS", help="hold an answered call so long (6)")
    command.add_argument("--network", metavar="NAME", help="the callee's network, for the record")
    command.add_argument("--expect", metavar="DISPOSITION", help="exit 1 unless the call comes out so")
    command.add_argument("--pcap", metavar="FILE", help="write the call's messages for Wireshark")
    command.add_argument("--consent", metavar="TEXT", help="why a callee that is on no list may be rung; stored")
    _json(command)
    _store(command)
    _dry_run(command)


def _check(command: argparse.ArgumentParser) -> None:
    _scenarios(command)
    command.add_argument("--only", metavar="TAG", help="only the callers with this tag")
    command.add_argument("--repeat", type=_positive, default=1, metavar="N", help="the whole matrix N times (1)")
    command.add_argument(
        "--max-wait", type=_wait, default=0.0, metavar="SECONDS", help="wait so long for a limit that refuses (0)"
    )
    command.add_argument("--junit", metavar="FILE", help="write a JUnit report")
    _json(command)
    _store(command)
    _dry_run(command)


def _run(command: argparse.ArgumentParser) -> None:
    _scenarios(command)
    command.add_argument(
        "--http", default="127.0.0.1:9616", metavar="ADDRESS:PORT", help="/metrics and /healthz (127.0.0.1:9616)"
    )
    command.add_argument("--full-numbers", action="store_true", help="log phone numbers in full")
    _store(command)


def _worker(command: argparse.ArgumentParser) -> None:
    _scenarios(command)
    command.add_argument("--site", required=True, metavar="NAME", help="the site that this machine stands at")
    command.add_argument("--full-numbers", action="store_true", help="log phone numbers in full")
    _store(command)


def _fleet(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="status")
    status = actions.add_parser("status", help="workers, planned calls, queues and who plans", allow_abbrev=False)
    _json(status)
    _store(status)


def _status(command: argparse.ArgumentParser) -> None:
    command.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="also say when their next rounds start")
    _json(command)
    _store(command)


def _pause(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NUMBER|TRUNK")
    command.add_argument("--trunk", action="store_true", help="the name is that of a trunk")
    command.add_argument("--why", default="by hand", metavar="TEXT", help="for those who wonder; stored")
    _json(command)
    _store(command)


def _resume(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NUMBER|TRUNK")
    command.add_argument("--trunk", action="store_true", help="the name is that of a trunk")
    _json(command)
    _store(command)


def _explain(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what", nargs="?", default="-", metavar="FILE|-|CODE", help="a message in a file or on stdin, or only a code"
    )
    command.add_argument("--alerting-ms", type=_ms, metavar="MS", help="from the INVITE to the first 180")
    command.add_argument("--early-media-ms", type=_ms, metavar="MS", help="from the INVITE to the first 183 with SDP")
    command.add_argument("--final-ms", type=_ms, metavar="MS", help="from the INVITE to this response")
    _json(command)


def _calls(command: argparse.ArgumentParser) -> None:
    command.add_argument("--caller", metavar="NUMBER")
    command.add_argument("--callee", metavar="NUMBER")
    command.add_argument("--scenario", metavar="NAME")
    command.add_argument("--disposition", metavar="NAME")
    command.add_argument("--limit", type=_positive, default=50, metavar="N", help="the newest N calls (50)")
    command.add_argument("--csv", action="store_true", help="a table for spreadsheets on stdout")
    _json(command)
    _store(command)


def _show(command: argparse.ArgumentParser) -> None:
    command.add_argument("id", metavar="ID", help="the call's id, or enough of its beginning")
    _json(command)
    _store(command)


def _standing(command: argparse.ArgumentParser) -> None:
    command.add_argument("number", nargs="?", metavar="NUMBER", help="only this caller ID")
    command.add_argument("--rebuild", action="store_true", help="judge and add up every call again first")
    _json(command)
    _store(command)


def _report(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", required=True, metavar="FILE.html", help="where the page goes")
    command.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="also say what of these was not tested")
    _store(command)


def _redress(command: argparse.ArgumentParser) -> None:
    command.add_argument("number", nargs="?", metavar="NUMBER", help="the caller ID; none: the whole book")
    command.add_argument("-o", "--output", metavar="DIR", help="write the folder for the redress desk")
    command.add_argument("--blocker", metavar="NAME", help="only the case with this blocker")
    noted = command.add_mutually_exclusive_group()
    noted.add_argument("--asked", action="store_true", help="note that redress was asked for")
    noted.add_argument("--answered", action="store_true", help="note that the desk answered")
    noted.add_argument("--cleared", action="store_true", help="note that the block was lifted")
    _json(command)
    _store(command)


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="JSON Lines or CSV, or - for stdin; with --pcap a capture")
    command.add_argument("--pcap", action="store_true", help="FILE is a capture; read with tshark")
    command.add_argument("--network", metavar="NAME", help="the callees' network, where a row names none")
    _json(command)
    _store(command)


def _prune(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--keep-days", type=_positive, default=90, metavar="DAYS", help="raw messages of calls that got through (90)"
    )
    command.add_argument(
        "--keep-failures-days", type=_positive, default=400, metavar="DAYS", help="raw messages of all others (400)"
    )
    _json(command)
    _store(command)
    _dry_run(command)


def _validate(command: argparse.ArgumentParser) -> None:
    _scenarios(command)
    _json(command)


def _schema(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help=argparse.SUPPRESS)  # it never prints anything else


def _doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument("scenario", metavar="SCENARIO")
    _json(command)
    _store(command)


def _sim(command: argparse.ArgumentParser) -> None:
    command.add_argument("--list", action="store_true", help="print what each number does, and stop")
    command.add_argument("--bind", default="127.0.0.1", metavar="ADDRESS", help="the address to listen on (127.0.0.1)")
    command.add_argument("--port", type=_port, default=5060, metavar="N", help="UDP and TCP port (5060); 0 for any")
    command.add_argument("--calls", type=_positive, metavar="N", help="stop after N calls")
    _json(command)


def _webhook(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="test|list|replay")
    test = actions.add_parser("test", help="send a webhook.test event", allow_abbrev=False)
    test.add_argument("scenario", metavar="SCENARIO")
    _json(test)
    listing = actions.add_parser("list", help="the deliveries and how they stand", allow_abbrev=False)
    _json(listing)
    _store(listing)
    replay = actions.add_parser("replay", help="send again: what waits or failed, or the events named")
    replay.add_argument("ids", nargs="*", metavar="ID", help="event ids; none: all that wait or were given up")
    replay.add_argument("--scenario", required=True, metavar="FILE", help="the file that names the endpoint")
    _json(replay)
    _store(replay)


def _scenarios(command: argparse.ArgumentParser) -> None:
    command.add_argument("scenarios", nargs="+", metavar="SCENARIO")


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="stdout is JSON and nothing else")


def _store(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store", metavar="URL", help="SQLAlchemy URL (default: PROBE_STORE, or sqlite:///results/probe.db)"
    )


def _dry_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dry-run", action="store_true", help="say what would be done; do nothing")


def _number(text: str, kind: type[float] | type[int], low: float, high: float) -> float:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is not between {low:g} and {high:g}")
    return value


def _seconds(text: str) -> float:
    return _number(text, float, 0.1, 600)


def _wait(text: str) -> float:
    return _number(text, float, 0, 86_400)


def _ms(text: str) -> float:
    return _number(text, float, 0, 3_600_000)


def _positive(text: str) -> int:
    return int(_number(text, int, 1, 1_000_000_000))


def _port(text: str) -> int:
    return int(_number(text, int, 0, 65_535))


_COMMANDS: dict[str, tuple[str, Add]] = {
    "call": ("place one guarded call now", _call),
    "check": ("place every call of the scenarios once and hold them against their expectations", _check),
    "run": ("the daemon: rounds on a schedule, until SIGTERM", _run),
    "worker": ("place the calls that are planned for one site, beside other machines, until SIGTERM", _worker),
    "fleet": ("what the workers of all sites do", _fleet),
    "status": ("what is scheduled, what ran, what was refused and why, what waits", _status),
    "pause": ("dial nothing from, to or over a number or a trunk until it is resumed", _pause),
    "resume": ("end a pause", _resume),
    "explain": ("read one SIP final response, or only its code, and say what it means", _explain),
    "calls": ("list the calls in the store", _calls),
    "standing": ("the reputation of each caller ID, per network", _standing),
    "report": ("one page about all caller IDs, to read and to attach to a ticket", _report),
    "redress": ("the book of blocks, and everything that a blocker's redress desk asks for", _redress),
    "import": ("judge calls that others placed, from JSON Lines, CSV or a capture", _import),
    "prune": ("drop raw messages that are old; counts and verdicts stay", _prune),
    "show": ("show one call: ladder, messages, notice and verdict", _show),
    "validate": ("check scenario files", _validate),
    "schema": ("print the JSON Schema of scenario files, calls and webhook events", _schema),
    "doctor": ("test a scenario's trunk without ringing anyone", _doctor),
    "sim": ("be the carrier: a SIP far end that answers by the number dialled", _sim),
    "webhook": ("try, inspect and resend webhook deliveries", _webhook),
}
