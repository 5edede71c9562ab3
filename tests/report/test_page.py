"""The page as a text: whole, well-formed, with nothing of the outside in it, and saying what is true."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from probe.report.page import page
from probe.report.page_element import Html, element, joined, said
from report.overviews import CALLERS, EVIL, TRUTH, fleet, hostile, large, overview

VOID = {"meta", "input", "br", "link", "path"}


class Read(HTMLParser):
    """Reads a page strictly: what is opened has to be closed, in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert [] == self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        assert len(attributes) == len(dict(attributes)), (tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.texts.append(data)

    def values(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))


@pytest.fixture(scope="module")
def read():
    return Read(page(overview()))


def test_the_top_says_in_plain_words_how_things_stand(read):
    told = "6 caller IDs were tested on 3 networks with 451 calls, 23 Oct 2026 to 21 Nov 2026."
    stand = "2 are blocked on at least one network, 1 is recovering from a block, 2 are clean and 1 is not yet known"
    assert told in read.text
    assert stand in read.text


def test_the_first_thing_to_do_is_about_the_worst_number_and_leads_to_its_section(read):
    first = read.text.split("What to do first")[1].split("Caller IDs by network")[0]
    assert first.startswith("+12025550101 (Support main line): blocked on verizon since 2 Nov 2026, 16:35 UTC and")
    assert "Take it out of rotation." in first
    assert "#n1" == read.values("href")[1]
    assert "n1" in read.values("id")


def test_each_number_in_trouble_has_a_section_and_no_other(read):
    sections = [attributes["id"] for tag, attributes in read.elements if tag == "article"]
    assert ["n1", "n2", "n3"] == sections
    assert len(TRUTH) == len(sections)


def test_the_heat_map_has_the_worst_first_and_every_cell():
    heat_map = page(overview()).split('class="map"')[1].split("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(?:<a [^>]*>)?<bdi>(\+\d+)</bdi>', heat_map)
    assert ["+12025550101", "+12025550102", "+12025550103"] == rows[:3]
    assert sorted(CALLERS) == sorted(rows)
    assert len(CALLERS) * 4 == len(re.findall(r'<td class="[bsrcun]( whole)?"', heat_map))
    assert 2 == heat_map.count("never called")  # 0109 has been called from on one of three networks


def test_a_cell_tells_standing_share_and_counts():
    cell = '<td class="b" title="5 of 30 blocked, 7-34 %; blocked since 2026-11-17 16:35"><i>blocked</i> 17 %</td>'
    assert cell in page(overview())


def test_contacts_are_text_with_their_flaws_and_never_links(read):
    assert "https://redress.example.com/r" in read.text
    assert "+19005550100 (do not call it: it costs a premium)" in read.text
    assert all(value.startswith("#") for value in read.values("href"))


def test_what_was_not_tested_stands_there_with_its_reason(read):
    text = read.text.split("What was not tested, and why")[1]
    assert "the caller ID has had its calls per_caller1,240+12025550101 has had its 5/1h." in text
    assert "daily2026-11-22 16:40missedthe daemon was down" in text
    assert "+120255501091 of 3+12025550192" in text


def test_redress_tells_how_far_it_has_come(read):
    assert "20 blocks, the last 21 Nov 2026, 16:40 UTC; redress asked for on 20 Nov 2026, no answer yet" in read.text


def test_without_calls_the_page_says_what_to_do():
    read = Read(page(overview(standings=(), troubles=(), signals=())))
    assert "No call has been judged yet" in read.text
    assert "probe check" in read.text
    assert "nan" not in read.text.lower()


def test_without_trouble_there_is_nothing_to_do():
    calls = [call for call in fleet() if call.caller not in TRUTH]
    read = Read(page(overview(calls, signals=())))
    assert "Nothing: no caller ID is blocked, suspect or recovering." in read.text
    assert "Caller IDs in troubleNone." in read.text
    assert "no more in common than chance allows" in read.text


def test_of_very_many_in_trouble_the_worst_stand_in_full_and_the_rest_is_counted():
    text = page(large(callers=100, networks=3, in_full=5))
    assert 5 == text.count("<article")
    assert re.search(r"\d+ more caller IDs are in the heat map alone", text)


def test_every_reference_leads_somewhere_and_every_id_is_one_of_a_kind(read):
    ids = read.values("id")
    assert len(set(ids)) == len(ids)
    targets = [value.removeprefix("#") for value in read.values("href")] + read.values("aria-labelledby")
    assert set() == set(targets) - set(ids)


@pytest.mark.parametrize("make", [overview, hostile])
def test_nothing_comes_from_outside_and_nothing_runs_but_our_script(make):
    text = page(make())
    read = Read(text)
    assert 1 == len([tag for tag, _ in read.elements if tag == "script"])
    assert set() == {tag for tag, _ in read.elements} & {"img", "iframe", "object", "embed", "link", "base", "form"}
    assert [] == [name for _, given in read.elements for name in given if name.startswith("on") or name == "src"]
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(given["content"] for tag, given in read.elements if "http-equiv" in given)
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in policy


def test_hostile_text_is_shown_as_text_and_cut():
    text = page(hostile())
    read = Read(text)
    assert "<script>window.__hit=1</script>" in read.text
    assert r"\x1b[2J" in read.text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert 700 > max(len(word) for word in read.text.split())
    assert all(evil[:20] in read.text for evil in EVIL if evil.isprintable())


def test_a_thousand_numbers_on_twenty_networks_fit_into_five_megabytes():
    assert 5_000_000 > len(page(large()).encode())


def test_text_is_escaped_unless_it_is_markup_of_ours():
    assert '<p title="&quot;&lt;&amp;">&lt;b&gt; 3<bdi>&lt;i&gt;</bdi><br></p>' == (
        element("p", "<b> ", 3, said("<i>"), [element("br")], None, title='"<&').text
    )
    with pytest.raises(TypeError):
        "<b>" + element("b")
    assert "<a></a><a></a>" == joined(Html("<a></a>"), [Html("<a></a>")]).text


@pytest.mark.parametrize(
    "attributes",
    [{"href": "https://example.com"}, {"onclick": "x"}, {"src": "x"}, {"style": "x"}, {"href": "javascript:x"}],
)
def test_no_element_can_leave_the_page_or_run(attributes):
    with pytest.raises(ValueError, match="has no place on a page that nothing leaves"):
        element("a", "x", **attributes)
