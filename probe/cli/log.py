"""The daemon's story on stderr: structured, one event a line; phone numbers shortened unless asked for in full."""

import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from probe.report.text import plain

_NUMBER = re.compile(r"\+[0-9]{4,11}([0-9]{4})(?![0-9])")


def start_log(*, full_numbers: bool) -> structlog.typing.FilteringBoundLogger:
    """Set up the log: for people on a terminal, JSON Lines elsewhere."""
    for_people = [_plain, structlog.dev.ConsoleRenderer()]
    last = for_people if sys.stderr.isatty() else [structlog.processors.JSONRenderer()]
    shorten = [] if full_numbers else [_shorten]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shorten,
            *last,
        ],
        logger_factory=_Log,
    )
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


class _Log:
    """Writes to stderr, or nowhere: a log on a full disk, or that nobody reads any more, ends no daemon."""

    def msg(self, message: str) -> None:
        with suppress(OSError):
            print(message, file=sys.stderr, flush=True)

    debug = info = warning = error = msg


def shortened(text: str) -> str:
    """Write phone numbers by their last four digits: `+12025550101` as `...0101`."""
    return _NUMBER.sub("...\\1", text)


def _shorten(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 - structlog's own shape
    return {key: shortened(value) if isinstance(value, str) else value for key, value in event.items()}


def _plain(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 - structlog's own shape
    """Write texts so that a terminal can only show them: structlog leaves one without a blank as it is."""
    return {key: plain(value) if isinstance(value, str) else value for key, value in event.items()}
