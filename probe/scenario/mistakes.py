"""What is wrong with a scenario file in; one sentence for each mistake, with file, line and key, out."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from probe.scenario.notation import shown
from probe.scenario.yaml_text import SECRETS, List, Mistake, Node, Path, Step, Table, Text, at

_MOST = 20  # more than fit a screen help nobody

_MISSING = {
    "consent": "is missing; say why this number may be rung.",
    "number": "is missing; write it as +12025550191.",
    "trunk": "is missing; say under it where calls leave.",
    "callers": "is missing; list under it the caller IDs under test.",
    "destinations": "is missing; list under it the numbers that may be rung.",
    "secret": "is missing; name the variable that holds it, ${WEBHOOK_SECRET}.",
}

_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "value_error": lambda error: str(error["ctx"]["error"]),
    "one_value": lambda error: str(error["msg"]),
    "unknown_key": lambda error: f"is not a known key; {error['ctx']['hint']}",
    "missing": lambda error: _MISSING.get(str(error["loc"][-1]), "is missing; add it."),
    "too_short": lambda _: "is empty; list at least one.",
    "tuple_type": lambda _: "takes a list; write each item on its own line after a hyphen.",
    "frozen_set_type": lambda _: "takes a list; write each item on its own line after a hyphen.",
    "dict_type": lambda _: "takes a table; write each name and its value on its own line.",
    "model_type": lambda _: "takes a table of keys; write each key and its value on its own line.",
    "union_tag_invalid": lambda _: "takes one disposition or a list of them; write one of the two.",
}


def from_validation(error: ValidationError, tree: Node) -> list[Mistake]:
    """Turn what pydantic found into mistakes with lines."""
    found = [dict(details) for details in error.errors(include_url=False, include_input=False)]
    return [_mistake(details, tree) for details in found if not _is_echo(details, tree)]


def sentences(source: str, mistakes: Iterable[Mistake]) -> str:
    """Write the mistakes one a line, in the order of the file: `FILE:LINE: KEY SENTENCE`."""
    ordered = sorted(set(mistakes), key=lambda mistake: (mistake.file or "", mistake.line, dotted(mistake.path)))
    lines = [_sentence(source, mistake) for mistake in ordered]
    left_out = len(lines) - _MOST
    return "\n".join([*lines[:_MOST], *([f"{source}: {left_out} more mistakes follow."] if left_out > 0 else [])])


def dotted(path: Path) -> str:
    """Write a path as `callers[1].number`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{_word(step)}"
    return text.removeprefix(".")


def _sentence(source: str, mistake: Mistake) -> str:
    colon = ":" if mistake.sentence.startswith('"') else ""
    subject = f"{dotted(mistake.path)}{colon} " if mistake.path else ""
    return f"{mistake.file or source}:{mistake.line}: {subject}{mistake.sentence}"


def _word(step: str) -> str:
    return step if step.isprintable() and step and " " not in step and len(step) < 60 else shown(step)  # noqa: PLR2004 - as shown() cuts


def _is_echo(error: dict[str, Any], tree: Node) -> bool:
    """Say whether pydantic calls a list too short only because an item of it is wrong."""
    node = at(tree, _path(error["loc"], tree))
    return error["type"] == "too_short" and isinstance(node, List) and bool(node.items)


def _mistake(error: dict[str, Any], tree: Node) -> Mistake:
    path = _path(error["loc"], tree)
    if error["type"] == "model_type" and not path:
        return Mistake(tree.line, path, "the file is no table of keys; it needs trunk, callers and destinations.")
    if error["type"] == "unknown_key":
        path = (*path, error["ctx"]["key"])
    if error["type"] == "missing":
        path = (*path, error["loc"][-1])
    sentence = _SENTENCES[error["type"]](error)
    node = at(tree, path)
    if error["type"] == "value_error" and error["loc"][-1:] != ("[key]",) and isinstance(node, Text):
        if path in SECRETS:
            return Mistake(node.line, path, sentence)
        # What came from the environment may be a secret: the message quotes what stands in the file.
        return Mistake(node.line, path, f"{shown(node.written)} {sentence}")
    return Mistake(line_of(tree, path), path, sentence)


def _path(loc: tuple[Step, ...], tree: Node) -> Path:
    """Take out of pydantic's path what is not in the file: the tags of unions and the word [key]."""
    path: Path = ()
    for step in loc:
        if at(tree, (*path, step)) is not None:
            path = (*path, step)
    return path


def line_of(tree: Node, path: Path) -> int:
    """Return the line of the key or item at a path, or of what should hold it."""
    while path:
        holder = at(tree, path[:-1])
        if isinstance(holder, Table) and path[-1] in holder.keys:
            return holder.keys[str(path[-1])]
        if (node := at(tree, path)) is not None:
            return node.line
        path = path[:-1]
    return tree.line
