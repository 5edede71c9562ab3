"""YAML text in; a tree of texts, lists and tables out, each with its line, and no value turned into anything else."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from probe.scenario.notation import is_clean

Step = str | int
Path = tuple[Step, ...]

_DEEPEST = 12
_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEPT_ELSEWHERE = re.compile(r"file:/[^${}]+|keyring:[^${}/]+/[^${}]+")

# Values that no message may quote, not even as they stand in the file; a file or the keyring may hold them.
SECRETS: tuple[Path, ...] = (("trunk", "password"), ("webhook", "secret"))


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to change: the line, where in the file, and the rest of the sentence.

    `file` is a CSV file that the scenario names; None is the scenario file itself.
    """

    line: int
    path: Path
    sentence: str
    file: str | None = None


class SecretError(Exception):
    """A value cannot be had from where the file says; the words are the rest of the sentence."""


class MistakesError(Exception):
    """What is wrong with a text, all of it that could be found."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__()
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar. `written` is what stands in the file, `value` has `${NAME}` filled in and may be a secret."""

    line: int
    written: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class List:
    line: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Table:
    line: int
    keys: dict[str, int]  # the line of each key
    values: dict[str, "Node"]


Node = Text | List | Table
Plain = str | list["Plain"] | dict[str, "Plain"]


def read_yaml(text: str, environ: Mapping[str, str]) -> Node:
    """Read YAML 1.1 with every scalar as text and `${NAME}` filled in.

    `environ` gives the value of a NAME, and of `file:/path` and `keyring:service/name` at the places of secrets; it
    may raise SecretError.
    Raises MistakesError for bad YAML, aliases, tags, duplicate keys, missing variables and control characters.
    """
    try:
        tree = _Reader(yaml.parse(text, Loader=yaml.SafeLoader), environ).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MistakesError(Mistake(line, (), "there is a character that YAML forbids; take it out.")) from error
    except yaml.MarkedYAMLError as error:
        raise MistakesError(_not_yaml(error)) from error
    except (ValueError, OverflowError) as error:  # PyYAML lets an escape such as \UFFFFFFFF out as these
        line = text.count("\n", 0, text.find("\\U")) + 1
        raise MistakesError(Mistake(line, (), "there is an escape for no character; take it out.")) from error
    return tree


def plain(node: Node) -> Plain:
    """Return the values alone, as a model takes them."""
    if isinstance(node, Text):
        return node.value
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.values.items()}


def at(node: Node, path: Path) -> Node | None:
    """Return what stands at a path, or None."""
    for step in path:
        if isinstance(node, Table) and step in node.values:
            node = node.values[str(step)]
        elif isinstance(node, List) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def _not_yaml(error: yaml.MarkedYAMLError) -> Mistake:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    problem = "".join(sign for sign in error.problem or "it cannot be read" if sign.isprintable())
    return Mistake(line, (), f"this is not YAML ({problem}); look at the indentation, colons and quotes here.")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Reader:
    """Builds the tree from PyYAML's events, which come one by one, so that no text can make it recurse for ever."""

    def __init__(self, events: Iterator[yaml.Event], environ: Mapping[str, str]) -> None:
        self._events = events
        self._environ = environ
        self._mistakes: list[Mistake] = []

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise MistakesError(Mistake(1, (), "the file is empty; it needs trunk, callers and destinations."))
        tree = self._node(next(self._events), ())
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            line = _line(after)
            raise MistakesError(Mistake(line, (), "a second document starts; put each scenario into its own file."))
        if self._mistakes:
            raise MistakesError(*self._mistakes)
        return tree

    def _node(self, event: yaml.Event, path: Path) -> Node:
        line = _line(event)
        self._refuse_magic(event, path, line)
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event.value, path, line)
        if len(path) >= _DEEPEST:
            raise MistakesError(Mistake(line, path[:2], "is nested too deeply; a scenario needs no such depth."))
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, line)
        return self._table(path, line)

    def _refuse_magic(self, event: yaml.Event, path: Path, line: int) -> None:
        """Stop at what would make the text mean more than it says."""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise MistakesError(Mistake(line, path, "is an anchor or alias (& or *); write the value out or quote it."))
        if getattr(event, "tag", None):
            raise MistakesError(Mistake(line, path, "has a YAML tag (!); write the value without it or quote it."))

    def _text(self, written: str, path: Path, line: int) -> Text:
        value = _VARIABLE.sub(lambda found: self._variable(found, path, line), written)
        if not is_clean(value):
            self._mistakes.append(Mistake(line, path, "holds a line break or a control character; take it out."))
        return Text(line, written, value)

    def _variable(self, found: re.Match[str], path: Path, line: int) -> str:
        name, closed = found.groups()
        elsewhere = closed and _KEPT_ELSEWHERE.fullmatch(name)
        if not elsewhere and not (closed and _NAME.fullmatch(name)):
            self._mistakes.append(Mistake(line, path, "has a ${ that names no environment variable; write ${NAME}."))
            return found[0]
        if elsewhere and path not in SECRETS:
            # Or whoever writes scenarios could have any file of ours sent to whom he likes.
            sentence = "takes no value from a file or the keyring, which only a password or secret does; write ${NAME}."
            self._mistakes.append(Mistake(line, path, sentence))
            return ""
        return self._value(name, path, line)

    def _value(self, name: str, path: Path, line: int) -> str:
        sentence = f"needs the environment variable {name}, which is not set or empty; set it and start again."
        try:
            value = self._environ.get(name)
        except SecretError as error:
            value, sentence = None, str(error)
        if not value:
            self._mistakes.append(Mistake(line, path, sentence))
        return value or ""

    def _list(self, path: Path, line: int) -> List:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return List(line, tuple(items))

    def _table(self, path: Path, line: int) -> Table:
        table = Table(line, {}, {})
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            value = self._node(next(self._events), (*path, key))
            if key in table.keys:
                sentence = f"stands on line {table.keys[key]} already; take one of the two out."
                self._mistakes.append(Mistake(_line(event), (*path, key), sentence))
            else:
                table.keys[key] = _line(event)
                table.values[key] = value
        return table

    def _key(self, event: yaml.Event, path: Path) -> str:
        line = _line(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise MistakesError(Mistake(line, path, "has a list or a table as a key; a key is one word."))
        self._refuse_magic(event, path, line)
        return event.value
