"""A process for a child, started: it loads the SIP library while its parent still loads its own parts.

Imports nothing heavy, so that a command can do this first.
"""

import os
import subprocess
import sys

# The library looks its own host's name up as it starts, and each silent nameserver would hold it up for 10 s.
_ENVIRONMENT = {"RES_OPTIONS": "timeout:1 attempts:2"}
# What an interpreter and its libraries need, by how the names begin. Secrets of the environment are no business of a
# process that reads what strangers send: it is told the trunk's password, and nothing else.
_INHERITED = ("COVERAGE_", "HOME", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PATH", "PYTHON", "SSL_", "TMP", "TZ")


def start_process() -> subprocess.Popen[bytes]:
    """Start a child process; it waits for its `Start`, and ends when our end of its stdin closes."""
    # Not asyncio's own subprocess: that kills a child whose transport is dropped, and a child must be left alone
    # to cancel what still rings. Its own session: a signal from the terminal is the parent's to answer.
    return subprocess.Popen(
        [sys.executable, "-m", "probe.agent.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name.startswith(_INHERITED)} | _ENVIRONMENT,
    )
