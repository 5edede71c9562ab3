"""A store on a server, from the command line: its password comes from the environment, and goes nowhere."""

import pytest
from postgres import GUARDED

SECRET = "c0ffee-5ec7e7"
SCENARIO = """
trunk: {{name: local, uri: "sip:{carrier}"}}
callers: [{{number: +12025550101}}]
destinations: [{{number: +12025550191, consent: our own test line}}]
"""


@pytest.fixture
def guarded(postgresql):
    """The URL of a store that asks its user for a password, without it."""
    postgresql.run(f"DO $$BEGIN CREATE ROLE {GUARDED} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    postgresql.run(f"ALTER ROLE {GUARDED} PASSWORD '{SECRET}'")
    url = postgresql.database(f"OWNER {GUARDED}")
    return url.replace("probe@", f"{GUARDED}@")


def with_password(url):
    return url.replace("@", f":{SECRET}@")


def test_the_password_may_stand_in_the_environment(probe, guarded):
    assert 0 == probe("standing", env={"PROBE_STORE": guarded, "PGPASSWORD": SECRET}).code


@pytest.fixture
def scenario(carrier, tmp_path):
    path = tmp_path / "local.yaml"
    path.write_text(SCENARIO.format(carrier=carrier))
    return path


@pytest.mark.parametrize(("command", "refused"), [("status", True), ("doctor", True), ("doctor", False)])
def test_no_command_shows_the_password(  # noqa: PLR0913, PLR0917 (what pytest brings together)
    probe, guarded, postgresql, scenario, command, refused
):
    postgresql.run(f"ALTER ROLE {GUARDED} PASSWORD '{'another' if refused else SECRET}'")
    said = probe(command, *([scenario] if command == "doctor" else []), env={"PROBE_STORE": with_password(guarded)})
    shown = said.out + said.err
    assert SECRET not in shown
    assert refused is ("does not take this user and password" in shown), shown
