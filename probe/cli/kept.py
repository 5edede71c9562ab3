"""The name of a value in, the value out: of the environment, of a file that only its owner reads, or of the keyring.

`NAME`, `file:/path` and `keyring:service/name`, as a scenario file writes them between `${` and `}`.
"""

import importlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from probe.scenario.yaml_text import SecretError

_LARGEST = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeptValues(Mapping[str, str]):
    """Looks a value up when it is asked for. Raises SecretError, whose words never hold a value."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        kind, colon, place = name.partition(":")
        if not colon:
            return self._environ[name]
        return _of_file(place) if kind == "file" else _of_keyring(*place.split("/", 1))

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def _of_file(place: str) -> str:
    try:
        # A pipe is not to be waited for; what was opened is what is asked whose it is.
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - a handle, not a path
            _check(place, os.fstat(handle))
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise SecretError(f"names the file {place}, which cannot be read ({error.strerror}).") from error
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        value = ""
    if not value or len(content) > _LARGEST:
        raise SecretError(f"names the file {place}, which holds no secret: one line of UTF-8.")
    return value


def _check(place: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretError(f"names {place}, which is no file.")
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise SecretError(f"names the file {place}, which others may open (mode {mode:04o}); chmod 600 it.")
    if found.st_uid not in {os.geteuid(), 0}:
        raise SecretError(f"names the file {place}, which belongs to somebody else; chown it to who runs probe.")


def _of_keyring(service: str, name: str) -> str:
    try:
        keyring: Any = importlib.import_module("keyring")
    except ModuleNotFoundError:
        raise SecretError("names the keyring, which needs a package: pip install 'probe[keyring]'.") from None
    try:
        value = keyring.get_password(service, name)
    except Exception as error:  # noqa: BLE001 - a backend may raise anything, and its words may hold anything
        why = f"the keyring does not open ({type(error).__name__})"
        raise SecretError(f"names {service}/{name}, but {why}; unlock it, or use a file.") from None
    if not value:
        raise SecretError(f"names {service}/{name}, which the keyring does not hold; keyring set {service} {name}.")
    return str(value)
