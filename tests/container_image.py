"""The product's image: made of the Containerfile, once for each state of its inputs; prints its name.

Where no registry can be reached its base is made of Debian's packages, as that of the Asterisk container is.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from asterisk.container import CarrierError, debian, find_engine, has_image, output

ROOT = Path(__file__).resolve().parents[1]
RELEASE = "trixie"
NAME = "probe"
ROOMS = ("probe", "scenarios")
FILES = (
    *("Containerfile", ".dockerignore", ".ci/pjsua2"),
    *("requirements.lock", "pyproject.toml", "README.md", "LICENSE"),
)
# What this machine trusts on its way to the package index, the build has to trust too.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def build(engine: str) -> str:
    """Make the image, or find the one that was made of the same files; give its name. CarrierError if it cannot."""
    image = f"{NAME}:{_digest()}"
    if not has_image(engine, image):
        flags = ["--pull=never", "--isolation=chroot", "--format=docker"] if engine == "podman" else []
        secrets = [f"--secret=id=certificates,src={CERTIFICATES}"] if CERTIFICATES.exists() else []
        base = f"--build-arg=BASE={debian(engine, RELEASE)}"
        command = [engine, "build", "--network=host", *flags, *secrets, base, f"--file={ROOT / 'Containerfile'}"]
        # What it says goes to stderr as it comes: the first time takes minutes.
        if subprocess.run([*command, f"--tag={image}", str(ROOT)], stdout=2, check=False).returncode:
            raise CarrierError(f"{engine} could not make {image}; what it said stands above.")
        _forget_others(engine, image)
    output(engine, "tag", image, NAME)
    return image


def _forget_others(engine: str, image: str) -> None:
    """Take away what was made of earlier files; one that a container is of stays."""
    listed = output(engine, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    made = re.compile(rf"(localhost/)?{NAME}:[0-9a-f]{{12}}")
    others = [name for name in listed if made.fullmatch(name) and not name.endswith(image)]
    subprocess.run([engine, "image", "rm", *others], capture_output=True, check=False)


def inputs() -> Iterator[Path]:
    """Name the files that the image is made of."""
    yield from (ROOT / name for name in FILES)
    for room in ROOMS:
        yield from (file for file in sorted((ROOT / room).rglob("*")) if file.is_file() and _counts(file))


def _counts(file: Path) -> bool:
    return file.suffix != ".db" and "__pycache__" not in file.parts


def _digest() -> str:
    digest = hashlib.sha256()
    for file in inputs():
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def size(engine: str, image: str) -> int:
    """Give the size of the image, in bytes."""
    return int(json.loads(output(engine, "image", "inspect", image))[0]["Size"])


def main() -> int:
    try:
        engine = find_engine()
        image = build(engine)
        sys.stdout.write(f"{image}, also {NAME}: {size(engine, image) / 1e6:,.0f} MB\n")
    except CarrierError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
