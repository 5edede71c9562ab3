"""What probe is made of: the audit, the list of the image's parts, the licences and the age of its TLS."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import supply
from asterisk.container import CarrierError, find_engine
from container_image import build

from probe.agent.build import ask_build

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DPKG = """Package: libssl3t64
Status: install ok installed
Architecture: amd64
Version: 3.5.7-1~deb13u2
Description: TLS
 with more lines

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


# In a process of its own, which has the grammars of all formats: see conftest.py.
SOUND = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""


def report(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_vulnerability_is_a_finding_and_fails_the_audit(capsys):
    vulnerable = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"], "aliases": []}]}
    found = supply.read_audit(report(vulnerable, {"name": "b", "version": "1", "vulns": []}))
    assert (2, ("a 1: PYSEC-1, fixed in 2",)) == (found.packages, found.findings)
    assert 1 == supply.tell("pypi", found)
    assert "PYSEC-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "said", ["", "Traceback", "{}", report(), report({"name": "a", "skip_reason": "not found on the index"})]
)
def test_a_service_that_does_not_answer_has_audited_nothing(said):
    assert (0, ()) == (supply.read_audit(said).packages, supply.read_audit(said).findings)


def test_what_a_service_does_not_know_is_named(capsys):
    found = supply.read_audit(
        report({"name": "a", "version": "1", "vulns": []}, {"name": "c", "skip_reason": "not found"})
    )
    assert 0 == supply.tell("osv", found)
    assert "1 packages audited by osv, 0 findings; not known there: c\n" == capsys.readouterr().out


def test_that_no_service_can_be_reached_is_one_sentence_and_no_failure(capsys):
    assert 0 == supply.audit(services=())
    assert supply.NOBODY == capsys.readouterr().out


def test_the_list_of_parts_is_sound_cyclonedx_and_names_python_and_debian_packages():
    text = supply.bill(list(importlib.metadata.distributions()), DPKG)
    checked = subprocess.run([sys.executable, "-c", SOUND], input=text, capture_output=True, text=True, check=True)
    assert "None\n" == checked.stdout
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    assert "gone" not in parts
    assert "pkg:deb/debian/libssl3t64@3.5.7-1~deb13u2?arch=amd64" == parts["libssl3t64"]["purl"]
    assert [{"license": {"id": "BSD-3-Clause"}}] == parts["httpx"]["licenses"]
    assert supply.needed() <= set(parts)
    assert "probe" == json.loads(text)["metadata"]["component"]["name"]


@pytest.mark.image
@pytest.mark.timeout(1500)
@pytest.mark.xdist_group("image")
def test_the_list_of_the_image_holds_the_sip_library_and_the_tls_that_it_links_to():
    try:
        image = build(find_engine())
    except CarrierError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    parts = {part["name"]: part["purl"] for part in json.loads(supply.sbom(image))["components"]}
    assert parts["pjsua2-python"].startswith("pkg:generic/pjproject@2.")
    assert {"libsrtp2-1", "libssl3t64", "python3", "httpx", "procrastinate"} <= set(parts)
    assert "pytest" not in parts


def test_the_readme_lists_the_licence_of_each_part():
    assert supply.licences() in README


def test_every_part_is_locked_with_its_hashes():
    lock = (ROOT / "requirements.lock").read_text()
    locked = {supply.canonical(name) for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==", lock)}
    assert set() == supply.needed() - locked
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)[1:]
    assert [] == [entry for entry in entries if "--hash=sha256:" not in entry]


def test_the_readme_names_the_tls_that_the_wheel_brings():
    build = ask_build()
    if build.native:
        pytest.skip("it is the wheel that brings its own")
    version, year = re.findall(r"OpenSSL (\S+).* (\d{4})$", build.tls)[0]
    assert f"OpenSSL {version.removesuffix('-fips')}, of {year}" in README.replace("\n", " ")


def test_supply_says_how_it_is_used():
    done = subprocess.run([sys.executable, supply.__file__, "x"], capture_output=True, text=True, check=False)
    assert (2, True) == (done.returncode, "licences" in done.stderr)
