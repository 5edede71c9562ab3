"""`python -m probe` and the `probe` command."""

import sys

_TESTED = ((3, 11), (3, 12))


def main() -> None:
    """Run the command line, on an interpreter that the SIP library was built for."""
    if sys.version_info[:2] not in _TESTED:
        version = ".".join(map(str, sys.version_info[:2]))
        sys.stderr.write(f"probe needs CPython 3.11 or 3.12, where the pjsua2 wheels end; this is {version}.\n")
        sys.exit(2)
    from probe.cli.main import run  # noqa: PLC0415 - after the check: newer syntax must not come before the sentence

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
