"""The soak, for some seconds: what `make soak` does for as long as one likes."""

import shutil
from pathlib import Path

import pytest
from agent.conftest import missing
from soak import soak

pytestmark = [pytest.mark.agent, pytest.mark.sipp]


def test_a_short_soak_loses_nothing_and_leaves_everything_where_it_was(tmp_path: Path):
    if shutil.which("sipp") is None:
        missing("SIPp is not installed; on Debian: apt-get install sip-tester")
    assert "calls in" in soak(6, tmp_path, asterisk=False)
