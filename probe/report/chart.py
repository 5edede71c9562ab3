"""The calls of a number in, a picture of them over time out: SVG to stand in a page or in a file of its own.

One row for each network, one mark for each call. What a call came to is told by the shape of its mark and by its
height in the row (against the number above, unclear in the middle, through below); colour only repeats it. The
colours are Okabe and Ito's, which colour-blind eyes tell apart; a page may set others (`--probe-blocked` and so on).
There is no script and no outside part, and every text is escaped.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

from probe.health import Evidence, Observation, Signal, Standing, State, evidence_of
from probe.report.text import cell_width, clip, plain
from probe.verdict import Disposition


def _circle(r: float) -> str:
    return f"m-{r:g} 0a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0-{2 * r:g} 0"


def _cross(r: float) -> str:
    return f"m-{r:g}-{r:g}l{2 * r:g} {2 * r:g}m0-{2 * r:g}l-{2 * r:g} {2 * r:g}"


def _dash(r: float) -> str:
    return f"m-{r:g} 0h{2 * r:g}"


def _diamond(r: float) -> str:
    return f"m0-{r:g}l{r:g} {r:g}l-{r:g} {r:g}l-{r:g}-{r:g}z"


def _square(r: float) -> str:
    return f"m-{r:g}-{r:g}h{2 * r:g}v{2 * r:g}h-{2 * r:g}z"


def _triangle(r: float) -> str:
    return f"m-{r:g}-{0.8 * r:g}h{2 * r:g}l-{r:g} {1.7 * r:g}z"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """How calls of one kind are drawn: the path of a shape of some radius, in a colour, above or below the line."""

    shape: Callable[[float], str]
    radius: float
    colour: str
    height: int
    filled: bool = False


# Drawn in this order, so that a block is never hidden by what got through.
_MARKS: Final = {
    "inconclusive": _Mark(shape=_dash, radius=4.5, colour="currentColor", height=0),
    "through": _Mark(shape=_circle, radius=4, colour="#009e73", height=11, filled=True),
    "declined": _Mark(shape=_triangle, radius=5, colour="#e69f00", height=11, filled=True),
    "ambiguous": _Mark(shape=_square, radius=4, colour="#0072b2", height=0),
    "suspected": _Mark(shape=_diamond, radius=5.5, colour="#cc79a7", height=-11),
    "blocked": _Mark(shape=_cross, radius=4.5, colour="#d55e00", height=-11),
}
# How much larger a mark is that stands for several calls, and for many.
_MANY: Final = 10
_SIZES: Final = (1.0, 1.35, 1.8)
_PATHS: Final = {
    kind: tuple(mark.shape(round(mark.radius * size, 1)) for size in _SIZES) for kind, mark in _MARKS.items()
}
_LEGEND: Final = tuple(reversed(_MARKS))
_KINDS: Final = {
    disposition: "inconclusive" if evidence_of(disposition) is Evidence.NONE else evidence_of(disposition).value
    for disposition in Disposition
} | {Disposition.USER_DECLINED: "declined"}
_TROUBLE: Final = frozenset({State.BLOCKED, State.SUSPECT, State.RECOVERING})

_WIDTH, _LEFT, _RIGHT = 900, 150, 872
_ROW, _LANE, _GAP = 42, 18, 8
_LETTER: Final = 7  # columns that a letter takes, at most
_NAME_SHOWN: Final = 18
_LABEL_SHOWN: Final = 48
_MOST_MARKS: Final = 400
_MOST_ROWS: Final = 16
_MOST_CHANGES: Final = 8
_MOST_TICKS: Final = 6
_JOINED: Final = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 1024)  # columns that one mark may stand for
_UNNAMED: Final = "no network named"
_FEW_S: Final = 3600.0  # room on both sides of a single call

_HOUR, _DAY = 3600, 86_400
_STEPS: Final = (
    *(60, 300, 900, 1800, _HOUR, 2 * _HOUR, 4 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(days * _DAY for days in (1, 2, 4, 7, 14, 28, 56, 112, 224, 448, 1461, 7305, 73_050, 730_500)),
)
_Point = tuple[str, float, int]  # a kind and a place
_EPOCH: Final = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday, so that steps of weeks begin on one
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH).total_seconds()
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH).total_seconds() - 1

_OPENING: Final = re.compile("<svg ")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What is drawn of one call; `at` in seconds."""

    kind: str
    at: float
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The place of everything: times in seconds, `top` is where the rows begin."""

    rows: tuple[str, ...]
    others: int
    first: float
    last: float
    top: int = 0

    @property
    def bottom(self) -> int:
        return self.top + _ROW * len(self.rows)

    def x(self, at: float) -> float:
        share = (at - self.first) / (self.last - self.first)
        return round(_LEFT + min(1.0, max(0.0, share)) * (_RIGHT - _LEFT), 1)

    def row(self, network: str) -> int:
        """Give the number of a network's row; those that have none of their own share the last."""
        return self.rows.index(network) if network in self.rows else len(self.rows) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A line at a moment, over one row or all of them, and its words."""

    at: float
    label: str
    row: int | None


def timeline(
    observations: Sequence[Observation], standing: Standing | None = None, changes: Sequence[Signal] = ()
) -> str:
    """Draw the calls of a number over time as one SVG element, as wide as there is room.

    `standing` and those of the `changes` that have a `since` are drawn as lines with a label. Of very many calls those
    that are close together and came to the same are drawn as one larger mark; legend and description say so.
    """
    if not observations:
        return _svg(40, "No calls", "", f'<text x="{_LEFT}" y="25">No calls.</text>')
    calls = [
        _Call(kind=_KINDS[one.disposition], at=_seconds(one.started_at), network=one.network or _UNNAMED)
        for one in observations
    ]
    frame = _frame(calls)
    lines = _changes(frame, standing, changes)
    lanes = _lanes(frame, lines)
    frame = replace(frame, top=_GAP + _LANE * (max(lanes, default=-1) + 1))
    points = _points(frame, calls)
    joined = len(points) < len(calls)
    drawn = (
        *_rows(frame),
        *_axis(frame),
        *_change_lines(frame, lines, lanes),
        *_marks(points),
        *_legend(frame, joined=joined),
    )
    described = _described(frame, calls, lines, len(points))
    return _svg(frame.bottom + (84 if joined else 62), _titled(observations, standing), described, "".join(drawn))


def timeline_file(drawing: str) -> str:
    """Make a drawing stand alone, in a viewer that knows no page: dark on white."""
    return _OPENING.sub('<svg style="background:#fff;color:#1b1b1b" ', drawing, count=1) + "\n"


def _svg(height: int, title: str, description: str, drawn: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" width="100%"'
        ' font-family="system-ui, sans-serif" font-size="13" fill="currentColor">'
        f"<title>{_text(title)}</title><desc>{_text(description)}</desc>{drawn}</svg>"
    )


def _text(text: str) -> str:
    return escape(plain(text))


def _seconds(at: datetime) -> float:
    return (at - _EPOCH).total_seconds()


def _moment(at: float) -> datetime:
    return _EPOCH + timedelta(seconds=min(at, _LAST))


def _frame(calls: Sequence[_Call]) -> _Frame:
    first, last = min(call.at for call in calls), max(call.at for call in calls)
    room = max(_FEW_S, (last - first) * 0.02)
    rows, others = _networks(calls)
    return _Frame(rows=rows, others=others, first=max(_FIRST, first - room), last=min(_LAST, last + room))


def _networks(calls: Sequence[_Call]) -> tuple[tuple[str, ...], int]:
    """Give the rows by name; of very many networks, those with the most blocks, and one row for the others."""
    counts = Counter(call.network for call in calls)
    blocks = Counter(call.network for call in calls if call.kind == "blocked")
    if len(counts) <= _MOST_ROWS:
        return tuple(sorted(counts)), 0
    chosen = sorted(counts, key=lambda name: (-blocks[name], -counts[name], name))[: _MOST_ROWS - 1]
    others = len(counts) - len(chosen)
    return (*sorted(chosen), f"{others} other networks"), others


def _points(frame: _Frame, calls: Sequence[_Call]) -> list[tuple[_Point, int]]:
    """Give kind and place of every mark, and how many calls it stands for; of very many, those close together."""
    middle = frame.top + _ROW // 2
    counts = Counter(
        (call.kind, frame.x(call.at), middle + _ROW * frame.row(call.network) + _MARKS[call.kind].height)
        for call in calls
    )
    if len(counts) <= _MOST_MARKS:
        return sorted(counts.items())
    size = next(size for size in _JOINED if len({(kind, x // size, y) for kind, x, y in counts}) <= _MOST_MARKS)
    return _joined(sorted(counts.items()), size)


def _joined(points: Iterable[tuple[_Point, int]], size: int) -> list[tuple[_Point, int]]:
    """Draw the calls of one kind within so many columns as one mark in their middle."""
    found: dict[_Point, list[tuple[float, int]]] = {}
    for (kind, x, y), count in points:
        found.setdefault((kind, x // size, y), []).append((x, count))
    return [
        ((kind, round(sum(x * count for x, count in together) / total, 1), y), total)
        for (kind, _, y), together in found.items()
        for total in (sum(count for _, count in together),)
    ]


def _marks(points: Iterable[tuple[_Point, int]]) -> Iterator[str]:
    paths: dict[str, list[str]] = {kind: [] for kind in _MARKS}
    for (kind, x, y), count in points:
        size = 0 if count == 1 else 1 if count < _MANY else 2
        paths[kind].append(f"M{x:g} {y}{_PATHS[kind][size]}")
    for kind, path in paths.items():
        if path:
            yield _mark(kind, "".join(path))


def _mark(kind: str, path: str) -> str:
    """Draw marks of one kind. The style wins where CSS is known; other viewers take the attributes."""
    mark = _MARKS[kind]
    paint = "fill" if mark.filled else "stroke"
    edge = ' stroke="currentColor" stroke-width="0.8"' if mark.filled else ' fill="none" stroke-width="2.2"'
    colour = f"{paint}:var(--probe-{kind},{mark.colour})"
    return f'<path class="probe-{kind}" {paint}="{mark.colour}" style="{colour}"{edge} d="{path}"/>'


def _rows(frame: _Frame) -> Iterator[str]:
    for number, name in enumerate(frame.rows):
        y = frame.top + _ROW * number + _ROW // 2
        if number % 2:
            yield f'<path opacity="0.05" d="M0 {y - _ROW // 2}h{_WIDTH}v{_ROW}h-{_WIDTH}z"/>'
        yield f'<path stroke="currentColor" opacity="0.25" d="M{_LEFT} {y}H{_RIGHT}"/>'
        shown = _text(clip(plain(name), _NAME_SHOWN))
        yield f'<text x="{_LEFT - 14}" y="{y + 4}" text-anchor="end">{shown}</text>'


def _axis(frame: _Frame) -> Iterator[str]:
    """Draw the days, or the hours, of UTC."""
    span = frame.last - frame.first
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), _STEPS[-1])
    form = "%Y-%m-%d" if step >= _DAY else "%m-%d %H:%M"
    yield f'<path stroke="currentColor" opacity="0.6" d="M{_LEFT} {frame.bottom}H{_RIGHT}"/>'
    yield f'<text x="{_LEFT - 14}" y="{frame.bottom + 18}" text-anchor="end" opacity="0.8">UTC</text>'
    for number in range(int(frame.first // step) + 1, int(frame.last // step) + 1):
        x = frame.x(number * step)
        yield f'<path stroke="currentColor" opacity="0.15" d="M{x:g} {frame.top}V{frame.bottom + 5}"/>'
        yield f'<text x="{x:g}" y="{frame.bottom + 18}" text-anchor="middle">{_moment(number * step):{form}}</text>'


def _changes(frame: _Frame, standing: Standing | None, signals: Iterable[Signal]) -> list[_Change]:
    found = []
    if standing is not None and standing.standing in _TROUBLE:
        found.append(_change(frame, standing.since, standing.standing, standing.network))
    dated = [(signal.p, signal.since, signal) for signal in signals if signal.since is not None]
    for _, since, signal in sorted(dated, key=lambda one: one[:2])[:_MOST_CHANGES]:
        network = signal.network or (signal.value if signal.dimension == "network" else None)
        found.append(_change(frame, since, signal.kind.replace("_", " "), network))
    return sorted(found, key=lambda change: change.at)


def _change(frame: _Frame, since: datetime, words: str, network: str | None) -> _Change:
    where = f" on {plain(network)}" if network else ""
    label = clip(f"{plain(words)}{where} since {since.astimezone(UTC):%Y-%m-%d}", _LABEL_SHOWN)
    row = frame.row(network) if network in frame.rows or (network and frame.others) else None
    return _Change(at=_seconds(since), label=label, row=row)


def _lanes(frame: _Frame, lines: Sequence[_Change]) -> list[int]:
    """Give each label a lane in which it covers no other."""
    ends: list[float] = []
    lanes = []
    for line in lines:
        left, right = _extent(frame, line)
        lane = next((number for number, end in enumerate(ends) if end < left), len(ends))
        ends[lane:] = [right + _GAP, *ends[lane + 1 :]]
        lanes.append(lane)
    return lanes


def _extent(frame: _Frame, line: _Change) -> tuple[float, float]:
    x, width = frame.x(line.at), _LETTER * cell_width(line.label)
    return (x, x + width) if x + width <= _WIDTH else (x - width, x)


def _change_lines(frame: _Frame, lines: Sequence[_Change], lanes: Sequence[int]) -> Iterator[str]:
    for line, lane in zip(lines, lanes, strict=True):
        x, y = frame.x(line.at), _LANE * lane + _LANE - 4
        anchor = "start" if _extent(frame, line)[0] == x else "end"
        top, bottom = frame.top, frame.bottom
        if line.row is not None:
            top, bottom = top + _ROW * line.row, top + _ROW * (line.row + 1)
        yield f'<path stroke="currentColor" opacity="0.35" d="M{x:g} {y + 4}V{top}"/>'
        yield f'<path stroke="currentColor" stroke-width="1.6" stroke-dasharray="5 3" d="M{x:g} {top}V{bottom}"/>'
        yield f'<text x="{x:g}" y="{y}" text-anchor="{anchor}" font-weight="600">{_text(line.label)}</text>'


_LARGER: Final = f"A larger mark stands for several calls close together, the largest for {_MANY} and more"


def _legend(frame: _Frame, *, joined: bool) -> Iterator[str]:
    y = frame.bottom + 46
    for number, kind in enumerate(_LEGEND):
        x = _LEFT + 8 + 121 * number
        yield _mark(kind, f"M{x} {y}{_PATHS[kind][0]}")
        yield f'<text x="{x + 13}" y="{y + 4}">{kind}</text>'
    if joined:
        yield f'<text x="{_LEFT}" y="{y + 26}" opacity="0.8">{_LARGER}.</text>'


def _titled(observations: Sequence[Observation], standing: Standing | None) -> str:
    title = f"Calls from {clip(plain(observations[0].caller), _LABEL_SHOWN)}"
    if standing is None:
        return title
    where = f" on {clip(plain(standing.network), _LABEL_SHOWN)}" if standing.network else ""
    return f"{title}: {standing.standing}{where} since {standing.since.astimezone(UTC):%Y-%m-%d}"


def _described(frame: _Frame, calls: Sequence[_Call], lines: Sequence[_Change], marks: int) -> str:
    first, last = (_moment(pick(call.at for call in calls)) for pick in (min, max))
    counts = Counter((frame.row(call.network), call.kind) for call in calls)
    parts = [
        f"{len(calls)} calls from {first:%Y-%m-%d} to {last:%Y-%m-%d}, UTC, one row for each network.",
        *(f"{clip(plain(name), _LABEL_SHOWN)}: {_counted(counts, row)}." for row, name in enumerate(frame.rows)),
        *(f"{line.label[0].upper()}{line.label[1:]}." for line in lines),
    ]
    if marks < len(calls):
        parts.append(f"They are drawn as {marks} marks. {_LARGER}.")
    return " ".join(parts)


def _counted(counts: Counter[tuple[int, str]], row: int) -> str:
    return ", ".join(f"{counts[row, kind]} {kind}" for kind in _LEGEND if counts[row, kind])
