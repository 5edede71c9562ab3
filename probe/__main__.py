"""`python -m probe` and the `probe` command."""

import os
import sys
from importlib.machinery import PathFinder

_STDERR = 2
_OLDEST, _LAST_WHEEL = (3, 11), (3, 12)


def main() -> None:
    """Run the command line, on an interpreter that the SIP library was built for."""
    version = sys.version_info[:2]
    if version < _OLDEST or (version > _LAST_WHEEL and PathFinder.find_spec("pjsua2") is None):
        sys.stderr.write(
            "probe needs CPython 3.11 or 3.12, where the ready wheels of pjsua2 end, or a later one for which "
            "`make pjsua2` has built it; this is {}.{}.\n".format(*version)
        )
        sys.exit(2)
    # After the check: newer syntax must not come before the sentence.
    from probe.cli.main import run  # noqa: PLC0415
    from probe.private import leave_no_core  # noqa: PLC0415

    leave_no_core()
    _open_what_is_closed()
    code = run(sys.argv[1:])
    _let_go_of_what_is_full()
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Open /dev/null for the standard streams that are closed: the next file would get their numbers."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(opened)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end


def _let_go_of_what_is_full() -> None:
    """Write what the streams still hold, or Python would end with an exit code of its own where that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
