"""The text of `--trunk-uri` in, a trunk with everything else by default out."""

from collections.abc import Callable
from typing import TypeVar

from probe.errors import ScenarioError
from probe.scenario import notation
from probe.scenario.notation import is_clean, shown
from probe.trunk import Transport, Trunk

_Value = TypeVar("_Value")


def trunk_from_uri(uri: str, *, name: str = "adhoc", username: str | None = None, password: str | None = None) -> Trunk:
    """Return the trunk of a `--trunk-uri`, everything else by default.

    Raises ScenarioError for a wrong URI or user name, and for a password that holds a control character.
    """
    read = _argument("--trunk-uri", uri, notation.read_uri)
    if username is not None:
        _argument("--username", username, notation.read_user)
    if password is not None and not is_clean(password):
        raise ScenarioError("--password-env: the password holds a line break or a control character; take it out.")
    return Trunk(
        name=name,
        host=read.host,
        port=read.port,
        transport=read.transport or Transport.UDP,
        transport_given=read.transport is not None,
        username=username,
        password=password,
    )


def _argument(option: str, text: str, read: Callable[[str], _Value]) -> _Value:
    try:
        return read(text)
    except ValueError as error:
        raise ScenarioError(f"{option}: {shown(text)} {error}") from error
