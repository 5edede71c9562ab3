"""What probe is made of: its parts held against known vulnerabilities, listed for the image, and their licences.

supply.py audit      ask a vulnerability service about what requirements.lock names; 1 if it knows of any
supply.py sbom FILE  list the parts of the image (CycloneDX 1.6, JSON), Python's and Debian's
supply.py licences   print the README's table
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.metadata import Distribution
from pathlib import Path

from asterisk.container import find_engine, output
from container_image import ROOT, build
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

SERVICES = ("pypi", "osv")
NOBODY = "No vulnerability service can be reached from here: NOTHING was audited.\n"
EXTRAS = ("", "postgresql", "fleet")
# What a package does not say of itself, and its makers say elsewhere: pjsip.org/licensing.htm.
STATED = {"pjsua2-python": "GPL-2.0-or-later"}
# The old ways to say it, as SPDX writes it.
SPDX = {"MIT License": "MIT", "BSD License": "BSD-3-Clause", "Apache Software License": "Apache-2.0"}
OWN_BUILD = "Generator: probe\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What one service knows: the packages that it was asked about with success, and a line for each finding."""

    packages: int
    unknown: tuple[str, ...]
    findings: tuple[str, ...]


def audit(services: Sequence[str] = SERVICES) -> int:
    """Ask the first service that answers; 1 if it names a vulnerability. That none can be reached is no failure."""
    for service in services:
        found = read_audit(_ask(service))
        if found.packages:
            return tell(service, found)
    sys.stdout.write(NOBODY)
    return 0


def tell(service: str, found: Audited) -> int:
    left_out = f"; not known there: {', '.join(found.unknown)}" if found.unknown else ""
    sys.stdout.write(f"{found.packages} packages audited by {service}, {len(found.findings)} findings{left_out}\n")
    sys.stdout.writelines(f"{line}\n" for line in found.findings)
    return 1 if found.findings else 0


def _ask(service: str) -> str:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format=json", "--timeout=8"]
    command += [f"--vulnerability-service={service}", "--progress-spinner=off", "-r", str(ROOT / "requirements.lock")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def read_audit(report: str) -> Audited:
    """Read pip-audit's JSON; where it could ask nobody, there is none, or each package was skipped."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    asked = [package for package in packages if "skip_reason" not in package]
    findings = (
        f"{package['name']} {package['version']}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'none yet'}"
        for package in asked
        for one in package["vulns"]
    )
    unknown = sorted(package["name"] for package in packages if "skip_reason" in package)
    return Audited(packages=len(asked), unknown=tuple(unknown), findings=tuple(findings))


def sbom(image: str) -> str:
    """List what an image holds. It is not run: its files say it."""
    engine = find_engine()
    held = output(engine, "create", image).strip()
    try:
        with tempfile.TemporaryDirectory(prefix="probe-sbom-") as folder:
            for place in ("/probe/.venv/lib", "/var/lib/dpkg/status"):
                output(engine, "cp", f"{held}:{place}", folder)
            (packages,) = Path(folder).glob("lib/python*/site-packages")
            return bill(list(Distribution.discover(path=[str(packages)])), (Path(folder) / "status").read_text())
    finally:
        output(engine, "rm", held)


def bill(packages: Iterable[Distribution], dpkg_status: str) -> str:
    """Write the CycloneDX document of Python packages and of what dpkg has installed."""
    whole = Bom()
    for part in (*map(_python, packages), *map(_debian, _installed(dpkg_status))):
        if part.name == "probe":
            whole.metadata.component = part
        else:
            whole.components.add(part)
    if whole.metadata.component:
        whole.register_dependency(whole.metadata.component, whole.components)
    return JsonV1Dot6(whole).output_as_string(indent=2)


def _python(package: Distribution) -> Component:
    name, version = canonical(package.metadata["Name"]), package.version
    own = OWN_BUILD in (package.read_text("WHEEL") or "")
    url = PackageURL("generic", None, "pjproject", version) if own else PackageURL("pypi", None, name, version)
    licence = LicenseFactory().make_from_string(licence_of(package) or "unknown")
    kind = ComponentType.APPLICATION if name == "probe" else ComponentType.LIBRARY
    return Component(type=kind, name=name, version=version, bom_ref=str(url), purl=url, licenses=[licence])


def _debian(package: dict[str, str]) -> Component:
    name, version = package["Package"], package["Version"]
    url = PackageURL("deb", "debian", name, version, {"arch": package["Architecture"]})
    return Component(type=ComponentType.LIBRARY, name=name, version=version, bom_ref=str(url), purl=url)


def _installed(status: str) -> Iterator[dict[str, str]]:
    for paragraph in status.split("\n\n"):
        package = dict(HeaderParser().parsestr(paragraph))
        if package.get("Status") == "install ok installed":
            yield package


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(package: Distribution) -> str:
    """Give the licence that a package states, as SPDX writes it; an empty text where it states none."""
    stated = package.metadata
    words = [line.rpartition(" :: ")[2] for line in stated.get_all("Classifier") or () if line.startswith("License")]
    short = stated.get("License") if len(stated.get("License") or "") < 40 else None  # else it is the whole text
    told = STATED.get(canonical(stated["Name"])) or stated.get("License-Expression") or short or next(iter(words), "")
    return SPDX.get(told, told)


def needed() -> set[str]:
    """Name what runs with probe and its extras, without what only its tests take."""
    seen: set[tuple[str, str]] = set()
    waiting = [("probe", extra) for extra in EXTRAS]
    while waiting:
        name, extra = waiting.pop()
        for asked in map(Requirement, importlib.metadata.distribution(name).requires or ()):
            if asked.marker is None or asked.marker.evaluate({"extra": extra}):
                fresh = {(canonical(asked.name), each) for each in (asked.extras or {""})} - seen
                seen |= fresh
                waiting += fresh
    # Where it is built for this Python, nothing asks for a ready one.
    return {name for name, _ in seen} | {"pjsua2-python"}


def licences() -> str:
    """Write the README's table: the packages of each licence."""
    by_licence = defaultdict(list)
    for name in sorted(needed()):
        by_licence[licence_of(importlib.metadata.distribution(name))].append(name)
    rows = (f"| {licence} | {', '.join(names)} |\n" for licence, names in sorted(by_licence.items()))
    return "| licence | packages |\n|---|---|\n" + "".join(rows)


def main(words: Sequence[str]) -> int:
    match words:
        case ["audit"]:
            return audit()
        case ["sbom", file]:
            Path(file).parent.mkdir(exist_ok=True)
            Path(file).write_text(sbom(build(find_engine())))
            sys.stdout.write(f"{file}\n")
        case ["licences"]:
            sys.stdout.write(licences())
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
