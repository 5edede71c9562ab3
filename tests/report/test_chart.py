"""The time line of a number: read back as the drawing it is, and looked at in Chromium where there is one."""

import random
import re
import shutil
import struct
import subprocess
import zlib
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from placed import START, answered

from probe.health import Accounts, Observation, Signal, observe
from probe.report.chart import timeline, timeline_file
from probe.verdict import Disposition
from report.samples import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
D = Disposition
KINDS = {
    D.ANALYTICS_BLOCKED: "blocked",
    D.SUBSCRIBER_BLOCKED: "blocked",
    D.ANALYTICS_SUSPECTED: "suspected",
    D.REJECTED_AMBIGUOUS: "ambiguous",
    D.USER_DECLINED: "declined",
    D.ANSWERED: "through",
    D.NO_ANSWER: "through",
    D.INCONCLUSIVE: "inconclusive",
    D.INVALID_NUMBER: "inconclusive",
}


SEEN = observe(answered())


def call(disposition=D.ANSWERED, hours=0.0, **more) -> Observation:
    at = START + timedelta(hours=hours)
    return SEEN._replace(started_at=at, ended_at=at, disposition=disposition, **more)


def drawn(*calls, **more):
    return ET.fromstring(timeline(calls, **more))


def marks(root):
    """Give the points of each kind's marks: x and y; without the legend."""
    found = {}
    for path in root.iter(f"{SVG}path"):
        kind = (path.get("class") or "").removeprefix("probe-")
        if kind and kind not in found:
            points = re.findall(r"M([\d.]+) (-?\d+)(?=m)", path.get("d"))
            found[kind] = [(float(x), int(y)) for x, y in points]
    legend_y = max(y for points in found.values() for _, y in points)
    return {kind: points for kind, points in found.items() if points[0][1] != legend_y}


def texts(root):
    return [text.text for text in root.iter(f"{SVG}text")]


def said(root):
    return root.find(f"{SVG}title").text, root.find(f"{SVG}desc").text


@pytest.mark.parametrize(("disposition", "kind"), KINDS.items())
def test_every_call_has_the_mark_of_what_it_came_to(disposition, kind):
    found = marks(drawn(call(disposition)))
    assert [kind] == list(found)
    assert 1 == len(found[kind])


def test_shapes_differ_and_so_do_colours():
    legend = [path for path in drawn(call()).iter(f"{SVG}path") if path.get("class")][-6:]
    shapes = {re.sub(r"M[\d.]+ \d+", "", path.get("d")) for path in legend}
    colours = {path.get("fill") + path.get("stroke") for path in legend}
    assert (6, 6) == (len(shapes), len(colours))


def test_what_speaks_against_the_number_stands_above_and_what_got_through_below():
    found = marks(drawn(call(), call(D.REJECTED_AMBIGUOUS, 1), call(D.ANALYTICS_BLOCKED, 2)))
    (_, through), (_, ambiguous), (_, blocked) = (found[kind][0] for kind in ("through", "ambiguous", "blocked"))
    assert blocked < ambiguous < through


def test_one_row_for_each_network_in_order():
    root = drawn(call(network="verizon"), call(network="att", hours=1), call(network=None, hours=2))
    assert ["att", "no network named", "verizon"] == texts(root)[:3]
    rows = {y for _, y in marks(root)["through"]}
    assert 3 == len(rows)


def test_a_later_call_stands_further_right_and_all_within_the_drawing():
    found = marks(drawn(*(call(hours=hours) for hours in (0, 1, 5, 200))))["through"]
    assert found == sorted(found)
    assert 150 <= found[0][0] < found[-1][0] <= 872


def test_the_axis_is_dated():
    month = drawn(*(call(hours=24 * day) for day in range(30)))
    assert [day for day in texts(month) if re.fullmatch(r"2026-1[12]-\d\d", day)]
    hours = drawn(call(), call(hours=3))
    assert [hour for hour in texts(hours) if re.fullmatch(r"11-22 1\d:00", hour)]
    assert "UTC" in texts(hours)


def test_the_standing_and_the_changes_are_lines_with_a_label():
    calls = [call(D.ANALYTICS_BLOCKED, hours) for hours in range(5)]
    accounts = Accounts()
    for one in calls:
        accounts.add(one)
    whole = next(one for one in accounts.standings() if one.network is None)
    change = Signal(
        kind="declines_rose", dimension="day", value="2026-11-22", p=0.001, network="verizon",
        since=START + timedelta(hours=2),
    )  # fmt: skip
    undated = Signal(kind="cluster", dimension="network", value="verizon", p=0.001)
    root = drawn(*calls, standing=whole, changes=[change, undated])
    labels = [text.text for text in root.iter(f"{SVG}text") if text.get("font-weight")]
    assert ["blocked since 2026-11-22", "declines rose on verizon since 2026-11-22"] == labels
    title, description = said(root)
    assert "Calls from +12025550101: blocked since 2026-11-22" == title
    assert "Declines rose on verizon since 2026-11-22." in description


def test_labels_do_not_cover_one_another():
    calls = [call(hours=hours) for hours in range(100)]
    changes = [
        Signal(kind="change", dimension="day", value="d", p=0.001 * n, since=START + timedelta(hours=10 * n))
        for n in range(8)
    ]
    root = drawn(*calls, changes=changes)
    boxes = []
    for text in root.iter(f"{SVG}text"):
        if text.get("font-weight"):
            x, y, width = float(text.get("x")), int(text.get("y")), 7 * len(text.text)
            left = x if text.get("text-anchor") == "start" else x - width
            assert left >= 0
            assert left + width <= 900
            assert not [box for box in boxes if box[0] == y and box[1] < left + width and left < box[2]]
            boxes.append((y, left, left + width))
    assert 8 == len(boxes)
    assert max(y for y, _, _ in boxes) < min(y for points in marks(root).values() for _, y in points)


def many(number):
    chance = random.Random(4)  # the same calls every time
    return [
        call(chance.choice(list(KINDS)), chance.uniform(0, 5000), network=f"net-{chance.randrange(30)}")
        for _ in range(number)
    ]


def test_very_many_calls_are_joined_and_the_description_says_so():
    calls = many(3_000)
    root = drawn(*calls)
    assert sum(map(len, marks(root).values())) <= 400
    _, description = said(root)
    assert description.startswith("3000 calls from 2026-11-22 to ")
    assert re.search(r"drawn as \d+ marks\. A larger mark stands for several calls", description)
    assert "15 other networks" in description
    counted = [int(number) for number in re.findall(rf"(\d+) (?:{'|'.join(KINDS.values())})", description)]
    assert 3_000 == sum(counted)


def test_the_same_calls_give_the_same_drawing_in_any_order():
    calls = many(900)
    assert timeline(calls) == timeline(calls[::-1])


def test_few_calls_are_all_drawn():
    root = drawn(*(call(hours=hours) for hours in range(100)))
    assert 100 == len(marks(root)["through"])
    assert "drawn as" not in said(root)[1]


def test_without_calls_it_says_so():
    assert ["No calls."] == texts(ET.fromstring(timeline([])))


def test_any_moment_can_be_drawn():
    ends = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    for moments in (ends, ends[:1], ends[1:]):
        root = drawn(*(call()._replace(started_at=at) for at in moments))
        assert len(moments) == len(marks(root)["through"])


def test_hostile_text_is_text():
    evil = f"</svg><script>alert(1)</script>{HOSTILE}\ufffe\ud800&\"'"
    change = Signal(kind=evil, dimension="network", value=evil, p=0.1, network=evil, since=START)
    root = drawn(call(network=evil, caller=evil), changes=[change])
    assert {"svg", "title", "desc", "path", "text"} == {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not [name for element in root.iter() for name in element.attrib if "href" in name or name.startswith("on")]
    assert "script" in said(root)[0]


def test_it_is_told_to_screen_readers_and_as_wide_as_there_is_room():
    root = drawn(call())
    assert ("img", "100%", None) == (root.get("role"), root.get("width"), root.get("height"))
    assert [f"{SVG}title", f"{SVG}desc"] == [child.tag for child in root][:2]
    assert ("Calls from +12025550101", True) == (said(root)[0], "verizon: 1 through." in said(root)[1])


def test_a_file_of_its_own_is_dark_on_white():
    root = ET.fromstring(timeline_file(timeline([call()])))
    assert "background:#fff;color:#1b1b1b" == root.get("style")


def pixels(png):
    """Read an 8-bit RGB or RGBA picture without interlacing: rows of colours (PNG, ISO/IEC 15948)."""
    width, height, depth, colours = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[colours]
    assert depth == 8
    data, at = b"", 8
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    raw, stride = zlib.decompress(data), width * size
    rows, above = [], bytes(stride)
    for y in range(height):
        line = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        unfilter(raw[y * (stride + 1)], line, above, size)
        rows.append([tuple(line[x : x + 3]) for x in range(0, stride, size)])
        above = bytes(line)
    return rows


def unfilter(how, line, above, size):
    for x in range(len(line)):
        left, up = line[x - size] if x >= size else 0, above[x]
        corner = above[x - size] if x >= size else 0
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(guess - value))
        line[x] = (line[x] + (0, left, up, (left + up) // 2, paeth)[how]) & 0xFF


CHROMIUM = shutil.which("chromium")
HALF = """<div style="margin:0;height:200px;background:{};color:{}">{}</div>"""


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")
def test_chromium_shows_each_kind_in_its_colour_on_light_and_on_dark(tmp_path):
    page, shot = tmp_path / "page.html", tmp_path / "page.png"
    drawing = timeline([call(kind, 4 * hours) for hours, kind in enumerate(KINDS)])
    papers = (("#ffffff", "#222222"), ("#121212", "#eeeeee"))
    halves = "".join(HALF.format(*paper, drawing) for paper in papers)
    page.write_text(f"<!doctype html><body style='margin:0'>{halves}")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--screenshot={shot}", "--window-size=900,400", page.as_uri()]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    rows = pixels(shot.read_bytes())
    for paper, half in zip(papers, (rows[:200], rows[200:]), strict=True):
        seen = {"#{:02x}{:02x}{:02x}".format(*colour) for row in half for colour in row}
        assert {"#d55e00", "#cc79a7", "#0072b2", "#e69f00", "#009e73", *paper} <= seen
