"""`python -m probe` and the `probe` command."""

import sys
from importlib.machinery import PathFinder

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
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
