"""A child that is killed while it writes: its last report is cut off, and its death is known all the same."""

import subprocess
import sys

from agent.conftest import within

from probe.agent.line import Pong, Ready, Report, Start, encode
from probe.agent.process import start_child
from probe.stack import Account, Setup

START = Start(setup=Setup(bind="127.0.0.1", media_bind="127.0.0.1"), account=Account(uri="sip:probe@127.0.0.1"))
READY = Ready(calls=4, starts_per_second=100.0, local="127.0.0.1:5060", version="2.17")
SAYS_IT_AND_DIES = (
    "import sys; sys.stdin.readline(); sys.stdout.write(sys.argv[1]); sys.stdout.flush(); sys.stderr.write('Assertion')"
)


def test_a_report_that_was_cut_off_by_its_death_is_none_and_the_death_is_known():
    said = encode(READY) + encode(Pong())[:-2]
    dying = subprocess.Popen(
        [sys.executable, "-c", SAYS_IT_AND_DIES, said.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    others = list[Report]()

    async def wait_for_its_end() -> tuple[bool, int, str]:
        child = await start_child(START, others.append, dying)
        await child.gone()
        return child.alive, child.room, child.last_words

    assert (False, 0, "Assertion") == within(10, wait_for_its_end())
    assert 1 == len(others)  # the word of its death
